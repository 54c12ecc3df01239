# perl: hashes, strings, sort, regular expressions
use strict;
use warnings;
my %count;
my $x = 1;
for my $i (1 .. 500000) {
    $x = ($x * 1103515245 + 12345) % 2147483648;
    push @{ $count{ "k" . ($x % 50000) } }, "value $i";
    delete $count{ "k" . ($i % 50000) } if $i % 5 == 0;
}
my @sorted = sort { scalar(@{ $count{$b} }) <=> scalar(@{ $count{$a} }) || $a cmp $b } keys %count;
my $text = join( ",", map { "$_=" . scalar( @{ $count{$_} } ) } @sorted );
for ( 1 .. 3 ) { ( my $copy = $text ) =~ s/k(\d+)=/<$1>:/g; my @parts = split /,/, $copy; }
print length($text), "\n";
