# ruby: strings, hashes, arrays of objects
Row = Struct.new(:id, :name, :tags)
rows = []
x = 1
200_000.times do |i|
  x = (x * 1_103_515_245 + 12_345) % 2_147_483_648
  rows << Row.new(i, "a rather long name that does not fit into a slot #{x}", ["t#{x % 7}", "u#{x % 11}"])
  rows.shift if rows.size > 40_000
end
groups = rows.group_by { |r| r.tags[0] }
text = groups.map { |k, v| k + ':' + v.map(&:name).join(',') }.join("\n")
5.times { text.gsub(/name that (\w+)/) { "<#{$1}>" }.split(',').size }
puts text.size
