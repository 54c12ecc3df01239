// thread_local objects are made and destroyed around the allocator's own thread end.
#define CASE_NO_MAIN
#include "case.h"
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>
static int destroyed;
struct late {
  std::map<int, std::string> m;
  ~late() {
    for (int i = 0; i < 200; i++) m[i] = std::string(static_cast<size_t>(i), 'l');
    for (int i = 0; i < 200; i++) CHECK(m[i].size() == static_cast<size_t>(i));
    __atomic_add_fetch(&destroyed, 1, __ATOMIC_RELAXED);
  }
};
static thread_local late one;
static thread_local std::vector<std::unique_ptr<late>> many;
int main() {
  for (int i = 0; i < 100; i++)
    std::thread([] {
      one.m[1] = "x";
      for (int k = 0; k < 5; k++) many.push_back(std::make_unique<late>());
    }).join();
  CHECKF(destroyed == 600, "%d", destroyed);
  one.m[2] = "main's own ends in exit()";
  return 0;
}
