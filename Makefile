# Posthorn. Run ./configure first; `make help` lists what can be made.
-include config.mk

# Each program: name, folder, libraries. A folder's files belong to its first
# program; the others (OWN_x) are made of the files named after them.
PROGRAMS = master gate smtpd submit pickup sendmail qmgr remote-send \
	tls-policy local-deliver imapd imap-idle pop3d authcheck accountd \
	tlsproxy resolver posthorn

DIR_master = master
DIR_gate = smtpd
DIR_smtpd = smtpd
DIR_submit = submit
DIR_pickup = submit
DIR_sendmail = submit
DIR_qmgr = queue-manager
DIR_remote-send = remote-send
DIR_tls-policy = remote-send
DIR_local-deliver = local-deliver
DIR_imapd = imapd
DIR_imap-idle = imapd
DIR_pop3d = pop3d
DIR_authcheck = authcheck
DIR_accountd = accountd
DIR_tlsproxy = tlsproxy
DIR_resolver = resolver
DIR_posthorn = admin

# Files of a folder that are not of its main program: prefix match.
OWN_gate = gate%
OWN_pickup = pickup%
OWN_sendmail = sendmail%
OWN_tls-policy = tls-policy%
OWN_imap-idle = imap-idle%

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
LIB_OBJ = $(LIB_SRC:%.c=build/%.o)
UNIT_SRC = $(wildcard t/unit/*.c)
UNIT = $(UNIT_SRC:t/unit/%.c=build/t/unit/%.t)

# `make V=1` shows the commands.
Q = $(if $(V),,@)
say = @$(if $(V),:,echo "  $(1)	$(2)")

all: $(BUILT:%=bin/%) $(if $(filter sendmail,$(BUILT)),bin/mailq bin/newaliases)

config.mk:
	@echo "Run ./configure first (or make demo, make check, which do it)." >&2
	@exit 1

build/libposthorn.a: $(LIB_OBJ)
	@rm -f $@
	$(Q)ar rcs $@ $(LIB_OBJ)

build/%.o: %.c config.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

define program
bin/$(1): $$(patsubst %.c,build/%.o,$$(call own,$(1))) build/libposthorn.a
	@mkdir -p bin
	$$(call say,LINK,$$@)
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) build/libposthorn.a \
		$$(LIBS_$(1)) $$(LIBS_BASE)
endef
$(foreach p,$(BUILT),$(eval $(call program,$(p))))

bin/mailq bin/newaliases: bin/sendmail
	ln -sf sendmail $@

# A unit test may name objects of a program after "link:" in its first lines.
build/t/unit/%.t: build/t/unit/%.o build/libposthorn.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< \
		$(patsubst %.c,build/%.o,$(call linked,$*)) \
		build/libposthorn.a $(call linklibs,$*) $(LIBS_BASE)
linked = $(shell sed -n 's/^ \* link: //p' t/unit/$(1).c)
linklibs = $(foreach v,$(shell sed -n 's/^ \* libs: //p' t/unit/$(1).c),$($(v)))
$(foreach u,$(UNIT_SRC:t/unit/%.c=%),$(eval build/t/unit/$(u).t: \
	$(patsubst %.c,build/%.o,$(call linked,$(u)))))

unit: $(UNIT)
	prove $(UNIT)

clean:
	rm -rf build bin

.PHONY: all unit clean
.SECONDARY:
-include $(shell find build -name '*.d' 2>/dev/null)
