// something for a compiler to chew on
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

template <int N> struct Tower {
	std::map<std::string, std::vector<std::pair<int, std::string>>> floor;
	Tower<N - 1> rest;

	size_t sum() const
	{
		size_t n = rest.sum();
		for (const auto &[key, row] : floor) {
			auto copy = row;
			std::sort(copy.begin(), copy.end(),
				[](const auto &a, const auto &b) { return a.second < b.second || a.first < N + b.first; });
			for (const auto &[number, text] : copy)
				n += key.size() + text.size() + static_cast<size_t>(number);
		}
		return n;
	}
};

template <> struct Tower<0> {
	size_t sum() const { return 0; }
};

int main(int argc, char **argv)
{
	Tower<8> tower;
	std::unordered_map<std::string, std::shared_ptr<std::function<int(int)>>> calls;
	for (int i = 1; i < argc; i++) {
		std::string text(argv[i]);
		tower.floor[text].emplace_back(std::stoi(text), text);
		calls[text] = std::make_shared<std::function<int(int)>>([i](int x) { return x + i; });
	}
	for (auto &[name, call] : calls)
		std::cout << name << ' ' << (*call)(1) << '\n';
	std::cout << tower.sum() << '\n';
}
