# Posthorn. `make help` lists what can be made.

# With SANITIZE=address,undefined all goes into a tree of its own.
O = $(if $(SANITIZE),build/sanitize,.)

# These need no configuration: they see to the packages first.
FIRST = deps demo demo-stop check check-clients check-roundcube \
	check-thunderbird compare-imap compare-pop3 model help clean distclean floors
ifneq ($(filter-out $(FIRST),$(or $(MAKECMDGOALS),all)),)
include $(O)/config.mk
endif

# Each program: name, folder, libraries. A folder's files belong to its first
# program; the others (OWN_x) are made of the files named after them.
PROGRAMS = master gate smtpd submit pickup sendmail qmgr remote-send \
	tls-policy local-deliver imapd mailbox-feed pop3d login-proxy authcheck \
	decoder accountd tlsproxy resolver posthorn

DIR_master = master
DIR_gate = smtpd
DIR_smtpd = smtpd
DIR_submit = smtpd
DIR_pickup = pickup
DIR_sendmail = pickup
DIR_qmgr = queue-manager
DIR_remote-send = remote-send
DIR_tls-policy = remote-send
DIR_local-deliver = local-deliver
DIR_imapd = imapd
DIR_mailbox-feed = mailbox-feed
DIR_pop3d = pop3d
DIR_login-proxy = login-proxy
DIR_authcheck = authcheck
DIR_decoder = decoder
DIR_accountd = accountd
DIR_tlsproxy = tlsproxy
DIR_resolver = resolver
DIR_posthorn = admin

# Files of a folder that are not of its main program: prefix match.
OWN_gate = gate%
OWN_submit = submit%
OWN_pickup = pickup%
OWN_sendmail = sendmail%
OWN_tls-policy = tls-policy%

LIBS_BASE = $(LIB_SECCOMP) $(LIB_EVENT) $(LIB_IDN2) $(LIB_UNISTRING) \
	$(LIB_PCRE2) $(LIB_DB) $(LIB_Z) $(LIB_SSL)
LIBS_authcheck = $(LIB_SPF2) $(LIB_DKIM) $(LIB_DMARC) $(LIB_PSL)
LIBS_accountd = $(LIB_CRYPT) $(LIB_PAM)
# libunbound uses the whole libevent: the event base must be of the same one
LIBS_resolver = $(LIB_UNBOUND) -levent
LIBS_posthorn = $(LIB_CRYPT)

# Programs whose folder has sources; the rest is not there.
BUILT = $(foreach p,$(PROGRAMS),$(if $(strip $(call own,$(p))),$(p)))
siblings = $(foreach q,$(PROGRAMS),$(if $(filter $(DIR_$(1)),$(DIR_$(q))),\
	$(if $(OWN_$(q)),$(patsubst %,$(DIR_$(1))/%.c,$(OWN_$(q))))))
own = $(if $(OWN_$(1)),\
	$(filter $(patsubst %,$(DIR_$(1))/%.c,$(OWN_$(1))),$(wildcard $(DIR_$(1))/*.c)),\
	$(filter-out $(call siblings,$(1)),$(wildcard $(DIR_$(1))/*.c)))

LIB_SRC = $(wildcard lib/*/*.c)
B = $(O)/build
BIN = $(O)/bin
LIB_OBJ = $(LIB_SRC:%.c=$(B)/%.o)
UNIT_SRC = $(wildcard t/unit/*.c)
UNIT = $(UNIT_SRC:t/unit/%.c=$(B)/t/unit/%.t)
FUZZ_SRC = $(filter-out t/fuzz/driver.c,$(wildcard t/fuzz/*.c))
FUZZ = $(FUZZ_SRC:t/fuzz/%.c=$(B)/t/fuzz/%.t)

# `make V=1` shows the commands.
Q = $(if $(V),,@)
say = @$(if $(V),:,echo "  $(1)	$(2)")

all: $(BUILT:%=$(BIN)/%) $(if $(filter sendmail,$(BUILT)),$(BIN)/mailq $(BIN)/newaliases)

$(O)/config.mk: configure VERSION
	@./configure --output=$(O) $(if $(SANITIZE),--sanitize=$(SANITIZE)) \
		$(CONFIGURE_OPTIONS)

$(B)/libposthorn.a: $(LIB_OBJ)
	@rm -f $@
	$(Q)ar qcs $@ $(LIB_OBJ)

# No result of a call that writes is dropped, but in tests.
MUST = -include lib/base/must.h
$(B)/t/%.o: MUST =

$(B)/%.o: %.c $(O)/config.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(MUST) $(CFLAGS) $(COVERAGE) -MMD -MP -c -o $@ $<

define program
$(BIN)/$(1): $$(patsubst %.c,$(B)/%.o,$$(call own,$(1))) $(B)/libposthorn.a
	@mkdir -p $$(BIN)
	$$(call say,LINK,$$@)
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) $(B)/libposthorn.a \
		$$(LIBS_$(1)) $$(LIBS_BASE)
endef
$(foreach p,$(BUILT),$(eval $(call program,$(p))))

$(BIN)/mailq $(BIN)/newaliases: $(BIN)/sendmail
	ln -sf sendmail $@

# A unit test may name objects of a program after "link:" in its first lines.
$(B)/t/unit/%.t: $(B)/t/unit/%.o $(B)/libposthorn.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< \
		$(patsubst %.c,$(B)/%.o,$(call linked,unit/$*)) \
		$(B)/libposthorn.a $(call linklibs,unit/$*) $(LIBS_BASE)

# A fuzz target is the driver, its file, and the same.
$(B)/t/fuzz/%.t: $(B)/t/fuzz/%.o $(B)/t/fuzz/driver.o $(B)/libposthorn.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< $(B)/t/fuzz/driver.o \
		$(patsubst %.c,$(B)/%.o,$(call linked,fuzz/$*)) \
		$(B)/libposthorn.a $(call linklibs,fuzz/$*) $(LIBS_BASE)
linked = $(shell sed -n 's/^ \* link: //p' t/$(1).c)
linklibs = $(foreach v,$(shell sed -n 's/^ \* libs: //p' t/$(1).c),$($(v)))
$(foreach u,$(UNIT_SRC:t/%.c=%) $(FUZZ_SRC:t/%.c=%),$(eval $(B)/t/$(u).t: \
	$(patsubst %.c,$(B)/%.o,$(call linked,$(u)))))

# And libraries that it has its programs load, after "preload:".
preloaded = $(shell sed -n 's/^ \* preload: //p' t/$(1).c)
$(foreach u,$(UNIT_SRC:t/%.c=%),$(eval $(B)/t/$(u).t: \
	| $(patsubst %.c,$(B)/%.so,$(call preloaded,$(u)))))

$(B)/t/lib/%.so: t/lib/%.c
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS) -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror \
		-O2 -fPIC -shared -o $@ $<

# crash-check: what records, and what replays with the queue's own recovery.
CRASH_OBJ = $(patsubst %.c,$(B)/%.o,$(filter-out $(addprefix t/crash/,\
	record.c record-put.c blind.c fault.c killer.c mutant.c),$(wildcard t/crash/*.c)) queue-manager/keeper.c \
	queue-manager/scan.c queue-manager/judge.c \
	queue-manager/message.c accountd/shares.c \
	remote-send/tls-policy-cache.c)

CRASH_WRAP = -Wl,--wrap=decoder_ask

$(B)/t/crash/replay: $(CRASH_OBJ) $(B)/libposthorn.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $(CRASH_WRAP) -o $@ $(CRASH_OBJ) $(B)/libposthorn.a $(LIBS_BASE)

# the same with a recovery that looks at no checksum: it must be found
$(B)/t/crash/replay-blind: $(CRASH_OBJ) $(B)/t/crash/blind.o $(B)/libposthorn.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $(CRASH_WRAP) -Wl,--wrap=slot_verify -o $@ $(CRASH_OBJ) \
		$(B)/t/crash/blind.o $(B)/libposthorn.a $(LIBS_BASE)

$(B)/t/crash/record.so: t/crash/record-put.c t/crash/record-put.h
$(B)/t/crash/%.so: t/crash/%.c t/crash/%.h
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS) -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror \
		-O2 -fPIC -shared -o $@ $(filter %.c,$^)

$(B)/t/crash/killer: $(B)/t/crash/killer.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $<

CRASH = $(addprefix $(B)/t/crash/,replay replay-blind record.so fault.so killer)
# shifts the wall clock of one program, for t/crash/clock.t
CLOCK = $(B)/t/lib/clock.so

CRASH_ENV = CRASH_BUILD=$(abspath $(B)/t/crash) POSTHORN_BIN=$(abspath $(BIN))

crash-check: all $(CRASH)
	$(CRASH_ENV) t/crash/crash-check $(CRASH_OPTIONS)
	$(CRASH_ENV) CRASH_SECONDS=$(or $(CRASH_SECONDS),180) \
		prove -v t/crash/faults.t t/crash/kills.t

# Are the checkers any good? Lines of what keeps mail, turned around.
mutants: $(O)/config.mk
	MUTANT_SECONDS=$(MUTANT_SECONDS) MUTANT_SEED=$(MUTANT_SEED) \
		t/crash/mutate

# Real power cuts, on file systems of its own: CUTS of each (root).
power-cut: all
	@dist/deps build test
	CUTS=$(CUTS) SEED=$(SEED) PEER=$(PEER) POSTHORN_BIN=$(abspath $(BIN)) \
		t/power/power-cut

# All sessions of a mailbox against a model, in a sanitized build.
model:
	@dist/deps build test
	@$(MAKE) --no-print-directory $(PARALLEL) \
		SANITIZE=address,undefined all
	MODEL_SECONDS=$(MODEL_SECONDS) MODEL_SEED=$(MODEL_SEED) \
		POSTHORN_BIN=$(abspath build/sanitize/bin) t/model/model

# posthorn.conf(5) gets its parameters from their table.
$(B)/man/posthorn.conf.5: man/posthorn.conf.5.in $(BIN)/posthorn
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)$(BIN)/posthorn config --manual > $@.parameters
	$(Q)sed -e '/^@PARAMETERS@$$/{r $@.parameters' -e 'd;}' $< > $@

MAN = $(wildcard man/*.[1578]) $(B)/man/posthorn.conf.5

man: $(MAN)

# Tests. `make check` is the whole of it, from a bare machine on; CHECK names
# the tests to run, e.g. make check-built CHECK=t/suite/main-job.t
# The long ones come first, lest one runs by itself at the end.
SCENARIOS = $(foreach d,trouble suite imap smtp auth deliver,\
	$(sort $(wildcard t/$(d)/*.t)))
# what is run once more in a sanitized build
MAIN_JOB = $(wildcard t/suite/main-job.t)
CHECK = $(if $(SANITIZE),$(MAIN_JOB),$(SCENARIOS)) $(UNIT) $(FUZZ)

deps:
	@dist/deps build

# as many compilers as processors, but where the caller has said how many
PARALLEL = $(if $(findstring -j,$(MAKEFLAGS)),,-j$$(nproc))

check:
	@dist/deps build test
	@$(MAKE) --no-print-directory $(PARALLEL) check-built
	@$(MAKE) --no-print-directory $(PARALLEL) unit-unsigned

# Three tests at a time: they wait more than they compute.
check-built: all $(UNIT) $(FUZZ) $(if $(SANITIZE),,$(CRASH) $(CLOCK)) man \
	floors
	STATE=$(B) POSTHORN_BIN=$(abspath $(BIN)) \
		dist/run-tests $(or $(JOBS),3) $(CHECK)

# What Dovecot and Cyrus say when they are asked the same: all differences have
# their reasons in t/compare/imap.differences and pop3.differences.
COMPARES = compare-imap compare-pop3
$(COMPARES): compare-%:
	@dist/deps build test compare
	@$(MAKE) --no-print-directory $(PARALLEL) all
	@t/compare/fetch $(B)/compare
	@STATE=$(B) POSTHORN_BIN=$(abspath $(BIN)) t/compare/$* $(COMPARE)

# Clients of others beyond those of make check.
CLIENTS = $(addprefix t/clients/,sync.t readers.t npm.t) t/imap/imap-clients.t
check-clients:
	@dist/deps build test clients
	@$(MAKE) --no-print-directory $(PARALLEL) all
	@npm install --silent --no-fund --no-audit --prefix $(B)/npm \
		imapflow node-pop3
	STATE=$(B) POSTHORN_BIN=$(abspath $(BIN)) \
		NODE_PATH=$(abspath $(B)/npm/node_modules) \
		dist/run-tests 2 $(CLIENTS)

# What people use, with their own eyes: PICTURES=DIR for screenshots.
PEOPLE = check-roundcube check-thunderbird
$(PEOPLE): check-%:
	@dist/deps build $*
	@$(MAKE) --no-print-directory $(PARALLEL) all
	STATE=$(B) POSTHORN_BIN=$(abspath $(BIN)) PICTURES=$(PICTURES) \
		dist/run-tests 1 t/clients/$*.t

unit: $(UNIT)
	STATE=$(B) dist/run-tests $(or $(JOBS),3) $(UNIT)

# char is unsigned on some machines: the same tests in a tree of its own
unit-unsigned:
	@$(MAKE) -s --no-print-directory O=build/unsigned \
		COVERAGE=-funsigned-char unit

# Fuzzing: FUZZ_SECONDS of processor time for all targets together; FUZZ_SEED
# repeats a run. Built in a tree of its own, sanitized, and so that the driver
# sees which code an input reaches. Finds are left in build/fuzz/finds.
FUZZ_SECONDS = 60

fuzz:
	@$(MAKE) -s --no-print-directory O=build/fuzz \
		SANITIZE=address,undefined COVERAGE=-fsanitize-coverage=trace-pc \
		fuzz-run

fuzz-run: $(FUZZ)
	@t/fuzz/run $(FUZZ_SECONDS) $(O)/finds '$(FUZZ_SEED)' $(FUZZ)

floors:
	@dist/floors

demo:
	@dist/deps build
	@$(MAKE) --no-print-directory $(PARALLEL) all
	@dist/demo start

demo-stop:
	@dist/demo stop

bench: all
	@dist/deps build test
	t/bench/run

# Installing. DESTDIR is put before every place.
DAEMONS = $(filter-out sendmail posthorn,$(PROGRAMS))
D = $(DESTDIR)
CONF = $(D)$(sysconfdir)/posthorn
UNITS = $(D)$(prefix)/lib/systemd/system
ROTATE = $(D)$(sysconfdir)/logrotate.d

# What names places of this installation.
$(B)/dist/%: dist/%.in $(O)/config.mk
	@mkdir -p $(@D)
	$(Q)sed -e 's,@sbindir@,$(sbindir),g' \
		-e 's,@libexecdir@,$(libexecdir),g' $< > $@

install: all man $(B)/dist/posthorn.service $(B)/dist/posthorn.logrotate
	install -d "$(D)$(libexecdir)/posthorn" "$(D)$(sbindir)" "$(D)$(bindir)" "$(CONF)" \
		"$(UNITS)" "$(ROTATE)"
	for p in $(DAEMONS); do install $(BIN)/$$p "$(D)$(libexecdir)/posthorn/" || exit 1; done
	install $(BIN)/posthorn $(BIN)/sendmail "$(D)$(sbindir)/"
	ln -sf "$(sbindir)/sendmail" "$(D)$(bindir)/mailq"
	ln -sf "$(sbindir)/sendmail" "$(D)$(bindir)/newaliases"
	ln -sf "$(sbindir)/sendmail" "$(D)$(prefix)/lib/sendmail"
	install -m 644 $(B)/dist/posthorn.service "$(UNITS)/"
	test -e "$(ROTATE)/posthorn" || \
		install -m 644 $(B)/dist/posthorn.logrotate "$(ROTATE)/posthorn"
	test -e "$(CONF)/posthorn.conf" || install -m 644 conf/posthorn.conf "$(CONF)/"
	test -e "$(CONF)/aliases" || install -m 644 conf/aliases "$(CONF)/"
	for m in $(MAN); do \
		d="$(D)$(mandir)/man$${m##*.}"; install -d "$$d" && \
		install -m 644 $$m "$$d/" || exit 1; \
	done
	test -n "$(DESTDIR)" || dist/users add

uninstall:
	for p in $(DAEMONS); do rm -f "$(D)$(libexecdir)/posthorn/$$p"; done
	-rmdir "$(D)$(libexecdir)/posthorn"
	rm -f "$(D)$(sbindir)/posthorn" "$(D)$(sbindir)/sendmail" \
		"$(D)$(bindir)/mailq" "$(D)$(bindir)/newaliases" \
		"$(D)$(prefix)/lib/sendmail" "$(UNITS)/posthorn.service" \
		"$(ROTATE)/posthorn"
	for m in $(notdir $(MAN)); do rm -f "$(D)$(mandir)/man$${m##*.}/$$m"; done
	@echo "left in place: configuration $(CONF), queue, users"

help:
	@echo 'make              build all programs into bin/'
	@echo 'make deps         install the packages that building needs (root)'
	@echo 'make demo         all from nothing: build, start, send, read, relay'
	@echo 'make demo-stop    stop what make demo left running'
	@echo 'make check        install what tests need, build, run all tests'
	@echo '                  SANITIZE=address,undefined: unit tests, main job'
	@echo 'make check-built  the tests alone; CHECK="FILE …" some of them'
	@echo 'make unit         the unit tests'
	@echo 'make unit-unsigned  the same where char is unsigned'
	@echo 'make compare-imap dialogues and samples beside Dovecot and Cyrus (root)'
	@echo 'make compare-pop3 dialogues'
	@echo 'make check-clients  aerc, neomutt, offlineimap, interimap, imapflow …'
	@echo 'make check-roundcube  a webmail in a browser (PICTURES=DIR: screenshots)'
	@echo 'make check-thunderbird  the mail program, on a screen of its own'
	@echo 'make crash-check  what power cuts could leave, 24000 states of it'
	@echo 'make mutants      MUTANT_SECONDS=600: do tests see what is turned round?'
	@echo 'make power-cut    CUTS=200: the power is cut, on ext4 and XFS (root)'
	@echo 'make model        MODEL_SECONDS=120: all sessions of a mailbox at once'
	@echo 'make fuzz         FUZZ_SECONDS=60: random input for all that reads any'
	@echo 'make floors       do the folders of lib keep their order?'
	@echo 'make bench        measure beside Postfix'
	@echo 'make install      DESTDIR= is put before every place'
	@echo 'make uninstall    removes programs and manuals, no mail'
	@echo 'make clean, make distclean'

clean:
	rm -rf build bin

distclean: clean
	rm -f config.h config.mk config.log

.PHONY: all man deps check check-built $(COMPARES) check-clients $(PEOPLE) \
	unit unit-unsigned fuzz fuzz-run \
	floors crash-check power-cut model mutants demo demo-stop bench \
	install uninstall help clean distclean
.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
