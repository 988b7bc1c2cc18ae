# make           the two programs, ./server and ./client
# make test      all tests; needs GoogleTest
# make sanitize  all tests, under ASan and UBSan
# make coverage  all tests, then a report of the lines they reached; needs g++ and gcovr
# make clean     removes what was built; run it separately after changing flags or OUT
#
# You may set CXX, CPPFLAGS, CXXFLAGS, LDFLAGS and LDLIBS. Objects go to BUILD and programs to OUT,
# so that other builds do not overwrite ./server and ./client. For a 64-bit board, on a PC (package
# g++-aarch64-linux-gnu; for a 32-bit ARMv7 board, arm-linux-gnueabihf in both names):
#   make CXX=aarch64-linux-gnu-g++ BUILD=build/arm64 OUT=build/arm64
CXXFLAGS ?= -O2
BUILD = build
OUT = .

all: $(OUT)/server $(OUT)/client
$(OUT)/server $(OUT)/client: $(OUT)/%: $(BUILD)/%.o $(BUILD)/net.o
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/%.o: %.cpp Makefile
	@mkdir -p $(@D)
	$(CXX) -std=c++17 -Wall -Wextra -Wpedantic $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c -o $@ $<

# The tests replace the WRAPPED calls; the programs' own object files do not change.
TESTS = $(patsubst %.cpp,$(BUILD)/%.o,$(wildcard tests/*.cpp))
WRAPPED = accept close connect getaddrinfo gethostname getsockopt __getsockopt64 poll recv send \
  setsockopt __setsockopt64
test: all $(BUILD)/run_tests
	timeout --foreground 300 $(BUILD)/run_tests
$(BUILD)/run_tests: $(TESTS) $(BUILD)/net.o
	$(CXX) $(CXXFLAGS) $(LDFLAGS) $(WRAPPED:%=-Wl,--wrap=%) -o $@ $^ $(LDLIBS) -lgtest -pthread
$(TESTS): private override CXXFLAGS += -O0 -I. -DOUT='"$(OUT)"' -pthread

# clang++ does not define __SANITIZE_ADDRESS__ by itself.
build/sanitize/%: private override CXXFLAGS += \
  -g -D__SANITIZE_ADDRESS__ -fsanitize=address,undefined -fno-sanitize-recover=all
build/coverage/%: private override CXXFLAGS += -O0 --coverage
sanitize:
	$(MAKE) test BUILD=build/sanitize OUT=build/sanitize
# A function's last } is not counted: with some compilers, only exceptions reach it.
coverage:
	@gcovr --version >/dev/null
	rm -rf build/coverage
	$(MAKE) test BUILD=build/coverage OUT=build/coverage
	gcovr --filter '[a-z]+\.cpp' --exclude-lines-by-pattern '}' --print-summary \
	  --fail-under-line 100 build/coverage
clean:
	rm -rf $(BUILD) $(OUT)/server $(OUT)/client

.PHONY: all test sanitize coverage clean
.DELETE_ON_ERROR:
-include $(wildcard $(BUILD)/*.d $(BUILD)/tests/*.d)
