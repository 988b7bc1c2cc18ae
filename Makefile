# make           the two programs, ./server and ./client
# make test      all tests; needs GoogleTest
# make sanitize  all tests, under ASan and UBSan
# make coverage  all tests, then a report of the lines they reached; needs g++ and gcovr 5 or later
# make format    formats the sources; needs clang-format
# make clean     removes what was built; run it separately after changing flags or OUT
#
# You may set CXX, CPPFLAGS, CXXFLAGS, LDFLAGS and LDLIBS. Objects go to BUILD and programs to OUT,
# so that other builds do not overwrite ./server and ./client. For a 64-bit board, on a PC (package
# g++-aarch64-linux-gnu; for a 32-bit ARMv7 board, arm-linux-gnueabihf in both names):
#   make CXX=aarch64-linux-gnu-g++ BUILD=build/arm64 OUT=build/arm64
CXXFLAGS ?= -O2 -g
COMPILE = $(CXX) -std=c++17 -Wall -Wextra -Wpedantic $(CPPFLAGS) $(CXXFLAGS) $(EXTRA) -MMD -MP -c
LINK = $(CXX) $(CXXFLAGS) $(EXTRA) $(LDFLAGS)
BUILD = build
OUT = .

all: $(OUT)/server $(OUT)/client
$(OUT)/server $(OUT)/client: $(OUT)/%: $(BUILD)/%.o $(BUILD)/net.o
	@mkdir -p $(@D)
	$(LINK) -o $@ $^ $(LDLIBS)
$(BUILD)/%.o: %.cpp Makefile
	@mkdir -p $(@D)
	$(COMPILE) -o $@ $<

# The tests replace the WRAPPED calls; the programs' own object files do not change.
WRAPPED = accept close connect getaddrinfo gethostname getsockopt __getsockopt64 poll recv send
test: all $(BUILD)/run_tests
	timeout --foreground 300 $(BUILD)/run_tests
$(BUILD)/run_tests: $(patsubst %.cpp,$(BUILD)/%.o,$(wildcard tests/*.cpp)) $(BUILD)/net.o
	$(LINK) $(WRAPPED:%=-Wl,--wrap=%) -o $@ $^ $(LDLIBS) -lgtest -pthread
$(BUILD)/tests/%.o: tests/%.cpp Makefile
	@mkdir -p $(@D)
	$(COMPILE) -O0 -I. -DOUT='"$(OUT)"' -pthread -o $@ $<
# The reader's own file (README, Build it); without it, lines_test.cpp is empty.
$(BUILD)/tests/lines_test.o: $(wildcard lines.hpp)

sanitize:
	$(MAKE) test BUILD=build/sanitize OUT=build/sanitize \
	  EXTRA='-fsanitize=address,undefined -fno-sanitize-recover=all'
# A function's last } is not counted: with some compilers, only exceptions reach it.
coverage:
	@gcovr --help | grep -e --exclude-lines-by-pattern >/dev/null || \
	  { echo 'coverage needs gcovr 5 or later' >&2; exit 1; }
	rm -rf build/coverage
	$(MAKE) test BUILD=build/coverage OUT=build/coverage EXTRA='-O0 --coverage'
	gcovr --filter '[a-z]+\.cpp' --exclude-lines-by-pattern '}' --print-summary \
	  --fail-under-line 100 build/coverage
format:
	clang-format -i *.cpp *.hpp tests/*.cpp tests/*.hpp
clean:
	rm -rf $(BUILD) $(OUT)/server $(OUT)/client

.PHONY: all test sanitize coverage format clean
.DELETE_ON_ERROR:
-include $(wildcard $(BUILD)/*.d $(BUILD)/tests/*.d)
