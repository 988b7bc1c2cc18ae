# make           the two programs, ./server and ./client
# make test      all tests (make check: the same)
# make sanitize  all tests, under ASan and UBSan
# make coverage  all tests, then which lines and branches of the programs they reached
# make clean     removes all that was built

# Yours to set: CXX, CPPFLAGS, CXXFLAGS, LDFLAGS, LDLIBS. STANDARD is what the code needs beside them.
CXXFLAGS ?= -O2
STANDARD = -std=c++17 -Wall -Wextra -Wpedantic
COMPILE = $(CXX) $(STANDARD) $(CPPFLAGS) $(CXXFLAGS)
LINK = $(CXX) $(STANDARD) $(CXXFLAGS) $(LDFLAGS)

# Objects go to BUILD, programs to OUT: the other kinds of build keep apart from ./server and ./client.
BUILD = build
OUT = .
TEST_OBJECTS = $(patsubst %.cpp,$(BUILD)/%.o,$(wildcard tests/*.cpp))
# The tests can script what these calls return; the product's own objects stay as they are.
WRAPPED = accept close connect freeaddrinfo getaddrinfo gethostname getsockopt poll recv send

all: $(OUT)/server $(OUT)/client
$(OUT)/server $(OUT)/client: $(OUT)/%: $(BUILD)/%.o $(BUILD)/net.o
	$(LINK) -o $@ $^ $(LDLIBS)
$(BUILD)/%.o: %.cpp $(BUILD)/flags
	$(COMPILE) -MMD -MP -c -o $@ $<

check: test
test: all $(BUILD)/run_tests
	timeout --foreground 300 $(BUILD)/run_tests </dev/null
$(BUILD)/run_tests: $(TEST_OBJECTS) $(BUILD)/net.o
	$(LINK) $(WRAPPED:%=-Wl,--wrap=%) -o $@ $^ $(LDLIBS) -lgtest_main -lgtest -pthread
$(TEST_OBJECTS): $(BUILD)/tests/%.o: tests/%.cpp $(BUILD)/flags | $(BUILD)/gtest
	$(COMPILE) -I. -DPROGRAMS='"$(OUT)"' -pthread -MMD -MP -c -o $@ $<
$(BUILD)/gtest: $(BUILD)/flags
	@echo '#include <gtest/gtest.h>' | $(COMPILE) -E -x c++ - >$@ || \
	  { echo 'GoogleTest is missing: sudo apt-get install -y libgtest-dev' >&2; exit 1; }

# Changes whenever the flags do, and all is built again.
export FLAGS = $(COMPILE) $(LINK) $(LDLIBS) $(WRAPPED) $(TEST_OBJECTS)
$(BUILD)/flags: FORCE
	@mkdir -p $(BUILD)/tests
	@echo "$$FLAGS" | cmp -s - $@ || echo "$$FLAGS" >$@

# ASan keeps what is freed, which is no growth of ours; leaks it finds by itself.
sanitize: export GTEST_FILTER = -Memory.*
sanitize:
	$(MAKE) test BUILD=build/sanitize OUT=build/sanitize \
	  CXXFLAGS='$(CXXFLAGS) -g -fsanitize=address,undefined -fno-sanitize-recover=all'
coverage:
	@command -v gcovr >/dev/null || { echo "gcovr is missing: sudo apt-get install -y gcovr" >&2; exit 1; }
	rm -rf build/coverage
	$(MAKE) test BUILD=build/coverage OUT=build/coverage CXXFLAGS='$(CXXFLAGS) -O0 --coverage'
	gcovr --filter '[a-z]+\.cpp' --exclude-throw-branches --print-summary build/coverage
clean:
	rm -rf build server client

FORCE:
.PHONY: all test check sanitize coverage clean FORCE
.DELETE_ON_ERROR:
-include $(wildcard $(BUILD)/*.d $(BUILD)/tests/*.d)
