# make           the two programs, ./server and ./client
# make test      all tests (make check is the same)
# make sanitize  all tests, under ASan and UBSan
# make coverage  all tests, then which lines and branches of the programs they reached
# make clean     removes what was built; run it, on its own, after changing the flags
#
# You may set CXX, CPPFLAGS, CXXFLAGS, LDFLAGS and LDLIBS; the code itself needs STANDARD. Objects
# go to BUILD and programs to OUT, so that other builds do not overwrite ./server and ./client.
CXXFLAGS ?= -O2
STANDARD = -std=c++17 -Wall -Wextra -Wpedantic
MODE =       # what sanitize and coverage add
FOR_TESTS =  # what the tests' own objects add
BUILD = build
OUT = .

TESTS = $(patsubst %.cpp,$(BUILD)/%.o,$(wildcard tests/*.cpp))
# The tests replace these calls; the programs' own object files do not change.
WRAPPED = accept close connect freeaddrinfo getaddrinfo gethostname getsockopt __getsockopt64 poll \
  recv send

all: $(OUT)/server $(OUT)/client
$(OUT)/server $(OUT)/client: $(OUT)/%: $(BUILD)/%.o $(BUILD)/net.o
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) $(MODE) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/%.o: %.cpp Makefile
	@mkdir -p $(@D)
	$(CXX) $(STANDARD) $(CPPFLAGS) $(CXXFLAGS) $(MODE) $(FOR_TESTS) -MMD -MP -c -o $@ $<

check: test
test: all $(BUILD)/run_tests
	$(BUILD)/run_tests
$(BUILD)/run_tests: $(TESTS) $(BUILD)/net.o
	$(CXX) $(CXXFLAGS) $(MODE) $(LDFLAGS) $(WRAPPED:%=-Wl,--wrap=%) -o $@ $^ \
	  $(LDLIBS) -lgtest_main -lgtest -pthread
$(TESTS): FOR_TESTS = -O0 -I. -DFOLDER='"$(CURDIR)"' -DPROGRAMS='"$(OUT)"' -pthread

sanitize:
	$(MAKE) test BUILD=build/sanitize OUT=build/sanitize \
	  MODE='-g -fsanitize=address,undefined -fno-sanitize-recover=all'
coverage:
	rm -rf build/coverage
	$(MAKE) test BUILD=build/coverage OUT=build/coverage MODE='-O0 --coverage'
	gcovr --filter '[a-z]+\.cpp' --exclude-throw-branches --print-summary build/coverage
clean:
	rm -rf $(BUILD) $(OUT)/server $(OUT)/client

.PHONY: all check test sanitize coverage clean
.DELETE_ON_ERROR:
-include $(wildcard $(BUILD)/*.d $(BUILD)/tests/*.d)
