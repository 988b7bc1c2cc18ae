# make           the two programs, ./server and ./client
# make clean     removes all that was built

# Yours to set: CXX, CPPFLAGS, CXXFLAGS, LDFLAGS, LDLIBS. STANDARD is what the code needs beside them.
CXXFLAGS ?= -O2
STANDARD = -std=c++17 -Wall -Wextra -Wpedantic
COMPILE = $(CXX) $(STANDARD) $(CPPFLAGS) $(CXXFLAGS)
LINK = $(CXX) $(STANDARD) $(CXXFLAGS) $(LDFLAGS)

# Objects go to BUILD, programs to OUT.
BUILD = build
OUT = .

all: $(OUT)/server $(OUT)/client
$(OUT)/server $(OUT)/client: $(OUT)/%: $(BUILD)/%.o $(BUILD)/net.o
	$(LINK) -o $@ $^ $(LDLIBS)
$(BUILD)/%.o: %.cpp $(BUILD)/flags
	$(COMPILE) -MMD -MP -c -o $@ $<

# Changes whenever the flags do, and all is built again.
export FLAGS = $(COMPILE) $(LINK) $(LDLIBS)
$(BUILD)/flags: FORCE
	@mkdir -p $(BUILD)/tests
	@echo "$$FLAGS" | cmp -s - $@ || echo "$$FLAGS" >$@

clean:
	rm -rf build server client

FORCE:
.PHONY: all clean FORCE
.DELETE_ON_ERROR:
-include $(wildcard $(BUILD)/*.d $(BUILD)/tests/*.d)
