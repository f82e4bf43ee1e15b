/* Runs random programs of exception events and prints what happened, in order.

   A program is a list of operations (tests/torturelib.py makes them and names them). Thread mode takes operations until
   the program ends; each exception handler logs its entry and takes the next few operations itself. Whatever can pend or
   unmask an exception is followed by DSB and ISB, and nothing else ever pends one, so the architecture fixes the place
   of every delivery. What it leaves open (values UNKNOWN after reset, in a new FP context, RETTOBASE in thread mode)
   isn't logged. Only Armv7-M and Armv8-M Mainline, privileged and secure where there is such a state. */
#include <stddef.h>
#include <stdint.h>

#include "semihost.h"

enum { PROGRAM_BYTES = 8192, MAX_EVENTS = 1024, EVENT_RESERVE = 200, MAX_DEPTH = 5, TEXT_BYTES = 32 * MAX_EVENTS };
enum { VECTORS = 48, IRQS = 32, FIRST_IRQ = 16, NMI = 2, HARD_FAULT = 3, USAGE_FAULT = 6, SVCALL = 11 };

#define OPERATIONS(X)                                                                                                 \
    X(end) X(priority) X(group) X(enable) X(disable) X(pend) X(pend_many) X(trigger) X(unpend) X(icsr) X(svc)         \
    X(svc_in_it) X(primask) X(basepri) X(basepri_max) X(faultmask) X(fp_fill) X(fp_log) X(fp_compute) X(fpscr)        \
    X(fpdscr) X(fp_lazy) X(fp_forget) X(fp_off) X(process_stack) X(unprivileged) X(state) X(fault) X(traps)           \
    X(fault_enable) X(misaligned) X(vectors) X(sleep)           \
    X(fault_pend) X(bad_return)
#define ENUMERATOR(name) OP_##name,
#define NAME(name) #name,
enum { OPERATIONS(ENUMERATOR) OPERATION_COUNT };
static const char *const operation_names[] = {OPERATIONS(NAME)};

typedef struct {
    uint8_t code, a, b, c;
} Operation;

/* The number of programs and flags (two halfwords), then their operations, each program ended by one of code 0; written
   by a debugger, by an emulator or into the file. */
enum {
    FLAG_PRIVILEGED_ONLY = 1, /* unprivileged code leaves the system registers alone */
    FLAG_IDLE_HANDLERS = 2,   /* handlers take no operations */
};
extern const uint8_t program[PROGRAM_BYTES];
const uint8_t program[PROGRAM_BYTES] __attribute__((aligned(4))) = {0};

typedef struct {
    const char *name;
    uint32_t value;
} Event;

static Event events[MAX_EVENTS];
static unsigned event_count, depth, activations, flags;
static const volatile Operation *next;
static int return_badly;     /* the running handler is to return with the wrong mode in EXC_RETURN */
static uint32_t good_return; /* what it would have been, for the handler of the fault that this makes; else 0 */
static int fp_filled; /* the running context has defined s0-s31 */
#if defined(__ARM_FP)
static int fp_is_off;
#endif
static uint64_t process_stack[256];
static char text[TEXT_BYTES];

#define REGISTER(address) (*(volatile uint32_t *)(address))
enum { ISER = 0xe000e100, ICER = 0xe000e180, ISPR = 0xe000e200, ICPR = 0xe000e280, IABR = 0xe000e300 };
enum { IPR = 0xe000e400, ICSR = 0xe000ed04, VTOR = 0xe000ed08, AIRCR = 0xe000ed0c, CCR = 0xe000ed14 };
enum { SHPR = 0xe000ed18, SHCSR = 0xe000ed24, CFSR = 0xe000ed28, HFSR = 0xe000ed2c, BFAR = 0xe000ed38 };
enum { CPACR = 0xe000ed88, STIR = 0xe000ef00, FPCCR = 0xe000ef34, FPDSCR = 0xe000ef3c };
/* Inaccessible places: never executable, and nothing there on any of our boards. */
#define NEVER_EXECUTABLE 0xe0040000u
#define UNMAPPED 0xb0000000u

#define READ_SPECIAL(name)                                                                                            \
    static uint32_t name(void) {                                                                                      \
        uint32_t value;                                                                                               \
        __asm__ volatile("mrs %0, " #name : "=r"(value)::"memory");                                                   \
        return value;                                                                                                 \
    }
READ_SPECIAL(ipsr)
READ_SPECIAL(control)
READ_SPECIAL(primask)
READ_SPECIAL(basepri)
READ_SPECIAL(faultmask)

#define WRITE_SPECIAL(name, value) __asm__ volatile("msr " #name ", %0\n dsb\n isb" ::"r"(value) : "memory")

/* A store to a system register; what it pends is delivered before this ends. Unprivileged, it is a BusFault. */
__attribute__((noinline)) static void put_word(uint32_t address, uint32_t value) {
    __asm__ volatile("str %1, [%0]\n dsb\n isb" ::"r"(address), "r"(value) : "memory");
}

__attribute__((noinline)) static void put_byte(uint32_t address, uint32_t value) {
    __asm__ volatile("strb %1, [%0]\n dsb\n isb" ::"r"(address), "r"(value) : "memory");
}

static void log_value(const char *name, uint32_t value) {
    if (event_count < MAX_EVENTS) {
        events[event_count++] = (Event){name, value};
    }
}

static uint32_t mix(uint32_t hash, uint32_t value) {
    return (hash ^ value) * 16777619u + (hash >> 15);
}

static int unprivileged(void) {
    return ipsr() == 0 && (control() & 1) != 0;
}

/* A fault at priority -1 or above would lock the core up. */
static int may_fault(void) {
    const uint32_t number = ipsr();
    return number != NMI && number != HARD_FAULT && faultmask() == 0;
}

static void run(unsigned count);

/* --- synchronous exceptions --- */

#define SVC(immediate)                                                                                                \
    __asm__ volatile("msr apsr_nzcvq, r1\n svc " #immediate "\n mrs r1, apsr"                                         \
                     : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(r12)::"memory", "cc")

static void supervisor_call(unsigned immediate) {
    register uint32_t r0 __asm__("r0") = 0x11111111u * immediate;
    register uint32_t r1 __asm__("r1") = immediate << 28 | 1u << 27;
    register uint32_t r2 __asm__("r2") = 0x22222222u;
    register uint32_t r3 __asm__("r3") = 0x33333333u;
    register uint32_t r12 __asm__("r12") = 0xccccccccu;
    switch (immediate) {
    case 0: SVC(0); break;
    case 1: SVC(1); break;
    case 7: SVC(7); break;
    default: SVC(255); break;
    }
    const uint32_t found[] = {r0, r1 & 0xf8000000u, mix(mix(r2, r3), r12)};
    log_value("svc gave r0", found[0]);
    log_value("svc left flags", found[1]);
    log_value("svc left r2-r12", found[2]);
}

static void supervisor_call_in_it_block(void) {
    register uint32_t r0 __asm__("r0") = 0x5555;
    __asm__ volatile("cmp r0, r0\n ittte eq\n svceq 6\n addeq r0, #1\n addeq r0, #2\n addne r0, #64"
                     : "+r"(r0)::"memory", "cc");
    log_value("svc in IT gave r0", r0);
}

static void function(void) {
}

/* On a process stack with a limit, moves SP below that: a UsageFault, and SP stays. Returns how far SP moved. */
static uint32_t overflow_stack(void) {
    uint32_t moved = 0;
#if __ARM_ARCH == 8
    uint32_t before;
    if (ipsr() == 0 && (control() & 3) == 2) {
        __asm__ volatile("mov %1, sp\n sub %0, %1, #0x100\n msr psplim, %0\n sub.w sp, sp, #0x200\n mov %0, sp\n sub %0, %1, %0\n"
                         "mov sp, %1\n movs %1, #0\n msr psplim, %1"
                         : "=&r"(moved), "=&r"(before)::"memory", "cc");
    }
#endif
    return moved;
}

static void fault(unsigned kind) {
    uint32_t words[4] = {1, 2, 3, 4}, result = 0x1234, other = 0;
    const uint32_t odd = (uint32_t)words + 1;
    switch (kind) {
    case 0:
        __asm__ volatile("movs r0, #1\n movs r1, #2\n movs r2, #3\n movs r3, #4\n mov r12, r1\n udf #1" ::
                             : "r0", "r1", "r2", "r3", "r12", "cc", "memory");
        break;
    case 1: __asm__ volatile("udf.w #1" ::: "memory"); break;
    /* The ISB is for QEMU 7.2: its trapping divide forgets what the same translation block wrote to registers. */
    case 2: __asm__ volatile("isb\n sdiv %0, %1, %2" : "+r"(result) : "r"(7), "r"(0)); break;
    case 3: __asm__ volatile("isb\n udiv %0, %1, %2" : "+r"(result) : "r"(7), "r"(0)); break;
    case 4: __asm__ volatile("ldr %0, [%1]" : "+r"(result) : "r"(odd) : "memory"); break;
    case 5: __asm__ volatile("strh %0, [%1]" ::"r"(result), "r"(odd) : "memory"); break;
    case 6: __asm__ volatile("ldrd %0, %1, [%2]" : "+r"(result), "+r"(other) : "r"(odd + 1) : "memory"); break;
    case 7: __asm__ volatile("blx %0" ::"r"(NEVER_EXECUTABLE | 1) : "memory", "lr"); break;
    case 8: __asm__ volatile("blx %0" ::"r"((uint32_t)function & ~1u) : "memory", "lr"); break;
    case 9: __asm__ volatile("ldr %0, [%1]" : "+r"(result) : "r"(UNMAPPED) : "memory"); break;
    case 10: __asm__ volatile("mcr p3, 0, r0, c1, c2, 0" ::: "memory"); break;
    case 11: result = overflow_stack(); break;
    default: break;
    }
    log_value("fault left", mix(mix(result, other), mix(words[0], words[1])));
}

/* --- floating point: asm only, so that the compiler's own code never makes an FP context --- */

#if defined(__ARM_FP)
static void fp_fill(unsigned seed) {
    uint32_t words[32];
    for (unsigned i = 0; i < 32; i++) {
        words[i] = (0x3f800000u | i << 18) + seed;
    }
    __asm__ volatile("vldmia %0, {s0-s31}" ::"r"(words) : "memory");
    fp_filled = 1;
}

static void fp_log(void) {
    uint32_t words[32], fpscr, hash = 0;
    __asm__ volatile("vstmia %1, {s0-s31}\n vmrs %0, fpscr" : "=r"(fpscr) : "r"(words) : "memory");
    for (unsigned i = 0; i < 32; i++) {
        hash = mix(hash, words[i]);
    }
    log_value("s0-s31", hash);
    log_value("fpscr", fpscr);
}

static void fp_compute(unsigned a, unsigned b) {
    uint32_t result, fpscr;
    __asm__ volatile("vmov s0, %2\n vmov s1, %3\n vcvt.f32.u32 s0, s0\n vcvt.f32.u32 s1, s1\n vdiv.f32 s2, s0, s1\n"
                     "vsqrt.f32 s3, s2\n vmla.f32 s2, s3, s0\n vcmp.f32 s2, s3\n vmov %0, s2\n vmrs %1, fpscr"
                     : "=r"(result), "=r"(fpscr)
                     : "r"(a), "r"(b)
                     : "memory");
    log_value("computed", result);
    log_value("fpscr", fpscr);
}

static void fp_forget(void) {
    const uint32_t without_fpca = control() & ~4u;
    WRITE_SPECIAL(control, without_fpca);
    fp_filled = 0;
}

/* An FP instruction with the FPU off is a UsageFault; only while no FP context can be in the way. */
static void fp_off(void) {
    fp_is_off = 1;
    REGISTER(CPACR) &= ~(0xfu << 20);
    __asm__ volatile("dsb\n isb\n vmov s0, r0\n" ::: "memory");
    REGISTER(CPACR) |= 0xfu << 20;
    __asm__ volatile("dsb\n isb" ::: "memory");
    fp_is_off = 0;
}

static void floating_point(unsigned code, unsigned a, unsigned b) {
    switch (code) {
    case OP_fp_fill: fp_fill(a); break;
    case OP_fp_log:
        if (!fp_filled) {
            fp_fill(a);
        }
        fp_log();
        break;
    case OP_fp_compute: fp_compute(a, b); break;
    case OP_fpscr: __asm__ volatile("vmsr fpscr, %0" ::"r"((uint32_t)a << 22) : "memory"); break;
    case OP_fpdscr: put_word(FPDSCR, (uint32_t)a << 22); break;
    case OP_fp_lazy: put_word(FPCCR, (REGISTER(FPCCR) & ~(1u << 30)) | (a & 1u) << 30); break;
    case OP_fp_forget: fp_forget(); break;
    default:
        if (ipsr() == 0 && (control() & 4) == 0 && may_fault()) {
            fp_off();
        }
    }
}
#endif

/* --- stacks, privilege, sleep --- */

__attribute__((naked, noinline)) static void run_on_process_stack(unsigned count, void *top) {
    __asm__ volatile("push {r4, lr}\n msr psp, r1\n mrs r2, control\n orr r2, #2\n msr control, r2\n isb\n bl run\n"
                     "mrs r2, control\n bic r2, #2\n msr control, r2\n isb\n pop {r4, pc}");
    (void)count, (void)top;
}

static void run_unprivileged(unsigned count) {
    WRITE_SPECIAL(control, control() | 1);
    run(count);
    if (control() & 1) {
        supervisor_call(7);
    }
}

/* An exception while SP is 4 beyond a multiple of 8: the frame is aligned, or not, as CCR.STKALIGN says. */
__attribute__((noinline)) static void trigger_misaligned(unsigned what, unsigned irq) {
    if (what == 0) {
        __asm__ volatile("sub sp, #4\n svc 5\n add sp, #4" ::: "r0", "memory");
    } else if (what == 1) {
        __asm__ volatile("sub sp, #4\n udf #2\n add sp, #4" ::: "memory");
    } else if (!unprivileged() || !(flags & FLAG_PRIVILEGED_ONLY)) {
        __asm__ volatile("sub sp, #4\n str %1, [%0]\n dsb\n isb\n add sp, #4" ::"r"(ISPR), "r"(1u << irq) : "memory");
    }
}

/* WFI with interrupts masked: wakes for what is pending, which is taken only when they are unmasked. */
static void sleep(unsigned irq) {
    __asm__ volatile("cpsid i" ::: "memory");
    REGISTER(ISER) = 1u << irq;
    REGISTER(ISPR) = 1u << irq;
    __asm__ volatile("dsb\n wfi" ::: "memory");
    log_value("awake, pending", REGISTER(ISPR));
    __asm__ volatile("cpsie i\n isb" ::: "memory");
}

static void log_state(void) {
    log_value("control", control() & 7u);
    log_value("ipsr", ipsr());
    if (unprivileged()) {
        return;
    }
    log_value("masks", primask() << 16 | faultmask() << 8 | basepri());
    uint32_t icsr = REGISTER(ICSR) & 0x945ff9ffu;
    if (ipsr() == 0) {
        icsr &= ~0x800u;
    }
    if (basepri() != 0 || faultmask() != 0) {
        icsr &= ~0x1ff000u; /* QEMU 7.2 leaves these masks out of VECTPENDING (DDI 0403E B3.2.4) */
    }
    log_value("icsr", icsr);
    log_value("pending", REGISTER(ISPR));
    log_value("active", REGISTER(IABR));
    log_value("shcsr", REGISTER(SHCSR) & 0x7fd8bu);
#if defined(__ARM_FP)
    log_value("lspact", REGISTER(FPCCR) & 1u);
#endif
}

/* --- the interpreter --- */

static void system_control(unsigned code, unsigned a, unsigned b) {
    switch (code) {
    case OP_priority: put_byte(a < FIRST_IRQ ? SHPR + a - 4 : IPR + a - FIRST_IRQ, b); break;
    case OP_group: put_word(AIRCR, 0x05fa0000u | a << 8); break;
    case OP_enable: put_word(ISER, 1u << a); break;
    case OP_disable: put_word(ICER, 1u << a); break;
    case OP_pend: put_word(ISPR, 1u << a); break;
    case OP_pend_many: put_word(ISPR, (uint32_t)a << (b & 31u)); break;
    case OP_trigger: put_word(STIR, a); break;
    case OP_unpend: put_word(ICPR, 1u << a); break;
    default: put_word(ICSR, 1u << a); break;
    }
}

static void mask(unsigned code, unsigned a) {
    switch (code) {
    case OP_primask: WRITE_SPECIAL(primask, a); break;
    case OP_basepri: WRITE_SPECIAL(basepri, a); break;
    case OP_basepri_max: WRITE_SPECIAL(basepri_max, a); break;
    default:
        if (a == 0 || may_fault()) {
            WRITE_SPECIAL(faultmask, a);
        }
    }
}

static uint32_t table_address(unsigned which);

/* Operations that read registers of the system block, or that only thread mode can do. */
static void special(unsigned code, unsigned a, unsigned b) {
    const int in_thread = ipsr() == 0;
    switch (code) {
    case OP_process_stack:
        if (in_thread && (control() & 2) == 0) {
            run_on_process_stack(a, (char *)process_stack + sizeof process_stack - (b & 1u) * 4);
        }
        break;
    case OP_unprivileged:
        if (in_thread && faultmask() == 0) {
            run_unprivileged(a);
        }
        break;
    case OP_traps: put_word(CCR, (REGISTER(CCR) & ~0x21au) | ((uint32_t)b << 8 | a)); break;
    case OP_fault_enable: put_word(SHCSR, (REGISTER(SHCSR) & ~0x70000u) | (uint32_t)a << 16); break;
    case OP_fault_pend: put_word(SHCSR, REGISTER(SHCSR) | 1u << (12 + a % 3)); break;
    case OP_bad_return: return_badly = !in_thread && ipsr() != NMI; break;
    case OP_vectors: put_word(VTOR, table_address(a)); break;
    case OP_sleep:
        if (in_thread && basepri() == 0 && faultmask() == 0) {
            sleep(a);
        }
        break;
    default: break;
    }
}

static void execute(unsigned code, unsigned a, unsigned b) {
    log_value(operation_names[code], a << 8 | b);
    if (code <= OP_icsr) {
        if (unprivileged() && (flags & FLAG_PRIVILEGED_ONLY)) {
            return;
        }
        system_control(code, a, b);
    } else if (code == OP_svc || code == OP_svc_in_it || code == OP_fault || code == OP_misaligned) {
        if (!may_fault()) {
            return;
        }
        if (code == OP_svc) {
            supervisor_call(a);
        } else if (code == OP_svc_in_it) {
            supervisor_call_in_it_block();
        } else if (code == OP_fault) {
            fault(a);
        } else {
            trigger_misaligned(a, b);
        }
    } else if (code <= OP_faultmask) {
        mask(code, a);
    } else if (code <= OP_fp_off) {
#if defined(__ARM_FP)
        if (!fp_is_off && (!unprivileged() || code <= OP_fpscr)) {
            floating_point(code, a, b);
        }
#endif
    } else if (code == OP_state) {
        log_state();
    } else if (!unprivileged()) {
        special(code, a, b);
    }
}

__attribute__((used)) static void run(unsigned count) {
    for (; count > 0 && next->code != OP_end; count--) {
        const unsigned code = next->code, a = next->a, b = next->b;
        if (event_count > MAX_EVENTS - EVENT_RESERVE) {
            return;
        }
        next++;
        execute(code < OPERATION_COUNT ? code : (unsigned)OP_state, a, b);
    }
}

/* --- handlers --- */

enum { FRAME_R0, FRAME_R1, FRAME_R2, FRAME_R3, FRAME_R12, FRAME_LR, FRAME_PC, FRAME_XPSR };
enum { XPSR_T = 1 << 24, XPSR_IT = 0x0600fc00, XPSR_GE = 0xf0000, XPSR_SFPA = 1 << 20 };
enum { RETURN_TO_THREAD = 8, VECTPENDING = 0x1ff << 12, SVC_MISALIGNED = 5, SVC_IN_IT = 6, UDF_1 = 0xde01 };
enum { UNDEFINSTR = 1 << 16, INVSTATE = 1 << 17, INVPC = 1 << 18, IACCVIOL = 1, IBUSERR = 1 << 8, BFARVALID = 1 << 15 };

static void log_frame(const volatile uint32_t *frame, int has_known_registers) {
    uint32_t hash = frame[FRAME_R0];
    for (unsigned i = FRAME_R1; i <= FRAME_R12; i++) {
        hash = mix(hash, frame[i]);
    }
    if (has_known_registers) {
        log_value(" stacked r0-r12", hash);
    }
    log_value(" stacked pc", frame[FRAME_PC]);
    log_value(" stacked xpsr", frame[FRAME_XPSR] & ~(uint32_t)(XPSR_GE | XPSR_SFPA));
}

static void answer_svc(volatile uint32_t *frame) {
    const uint32_t immediate = *(const uint16_t *)(frame[FRAME_PC] - 2) & 0xffu;
    log_value(" svc", immediate);
    log_frame(frame, immediate != SVC_MISALIGNED && immediate != SVC_IN_IT);
    frame[FRAME_R0] = 0xa0 + immediate;
    if (immediate == 7) {
        WRITE_SPECIAL(control, control() & ~1u);
    }
}

static void step_over(volatile uint32_t *frame, uint32_t cfsr) {
    if (cfsr & (INVSTATE | IACCVIOL | IBUSERR)) {
        frame[FRAME_PC] = frame[FRAME_LR] & ~1u;
        frame[FRAME_XPSR] = (frame[FRAME_XPSR] | XPSR_T) & ~(uint32_t)XPSR_IT;
    } else {
        frame[FRAME_PC] += *(const uint16_t *)frame[FRAME_PC] >= 0xe800u ? 4 : 2;
    }
}

static void answer_fault(volatile uint32_t *frame, uint32_t number) {
    const uint32_t cfsr = REGISTER(CFSR);
    log_value(" hfsr", REGISTER(HFSR));
    log_value(" cfsr", cfsr);
    if (cfsr & BFARVALID) {
        log_value(" bfar", REGISTER(BFAR));
    }
    REGISTER(CFSR) = cfsr;
    REGISTER(HFSR) = REGISTER(HFSR);
    if (cfsr == 0 && number == HARD_FAULT) {
        answer_svc(frame); /* what else can come here: an SVC whose priority isn't enough */
    }
    if (cfsr == 0 || cfsr == INVPC) {
        return;
    }
    log_frame(frame, (cfsr & UNDEFINSTR) != 0 && *(const uint16_t *)frame[FRAME_PC] == UDF_1);
    step_over(frame, cfsr);
}

/* Returns the value to return from the exception with. */
__attribute__((used)) static uint32_t exception(uint32_t exc_return, volatile uint32_t *frame, uint32_t table) {
    __asm__ volatile("msr apsr_nzcvq, %0" ::"r"(0) : "cc"); /* flags are UNKNOWN here; nothing else would clear Q */
    const uint32_t number = ipsr();
    const int filled = fp_filled, outer_returns_badly = return_badly;
    fp_filled = return_badly = 0;
    activations++;
    log_value("enter", table << 16 | number);
    log_value(" exc_return", exc_return & 0x1cu);
    if (good_return != 0) {
        exc_return = good_return;
        good_return = 0;
    }
    log_value(" frame", (uint32_t)frame);
    log_value(" interrupted", frame[FRAME_XPSR] & (XPSR_T | 0x3ffu));
    if (number >= HARD_FAULT && number <= USAGE_FAULT) {
        answer_fault(frame, number);
    } else if (number == SVCALL) {
        answer_svc(frame);
    }
    if (depth < MAX_DEPTH && !(flags & FLAG_IDLE_HANDLERS)) {
        depth++;
        run((activations * 5 + number) % 6);
        depth--;
    }
    fp_filled = filled;
    log_value("leave", number);
    /* What is pending could come before the fault, and QEMU 7.2 then enters that with the bad value. Armv8-M takes the
       frame of a "return to handler mode" from the main stack, whatever bit 2 says. */
    if (return_badly && (REGISTER(ICSR) & VECTPENDING) == 0 && (__ARM_ARCH == 7 || (exc_return & 4) == 0)) {
        good_return = exc_return;
        exc_return ^= RETURN_TO_THREAD;
    }
    return_badly = outer_returns_badly;
    return exc_return;
}

/* Three ways to load EXC_RETURN into PC, one for each vector table. */
#define ENTRY(name, table, save, restore)                                                                             \
    __attribute__((naked)) static void name(void) {                                                                   \
        __asm__ volatile("mov r0, lr\n tst lr, #4\n ite eq\n mrseq r1, msp\n mrsne r1, psp\n movs r2, #" #table "\n"   \
                         save "\n bl exception\n" restore);                                                           \
    }
ENTRY(entry_pop, 0, "push {r4, lr}", "str r0, [sp, #4]\n pop {r4, pc}")
ENTRY(entry_bx, 1, "push {r4, lr}", "ldmia sp!, {r4, lr}\n bx r0")
ENTRY(entry_ldr, 2, "str lr, [sp, #-8]!", "str r0, [sp]\n ldr pc, [sp], #8")

#define TABLE(entry) {[2 ... VECTORS - 1] = entry}
typedef void (*Vectors[64])(void); /* aligned as VTOR needs for so many; the first two are read at reset only */
static const Vectors tables[3] __attribute__((aligned(256))) = {TABLE(entry_pop), TABLE(entry_bx), TABLE(entry_ldr)};

static uint32_t table_address(unsigned which) {
    return (uint32_t)tables[which % 3];
}

/* --- programs and their logs --- */

/* Lets what is pending be delivered, then puts every register that programs change back as reset left it. */
static void reset_state(void) {
    WRITE_SPECIAL(faultmask, 0);
    WRITE_SPECIAL(basepri, 0);
    WRITE_SPECIAL(primask, 0);
    put_word(ICER, ~0u);
    put_word(ICPR, ~0u);
    for (unsigned i = 0; i < IRQS; i++) {
        put_byte(IPR + i, 0);
    }
    for (unsigned i = 0; i < 12; i++) {
        put_byte(SHPR + i, 0);
    }
    put_word(AIRCR, 0x05fa0000u);
    put_word(SHCSR, 0); /* before what is still pending could be enabled */
    put_word(CCR, 0x200);
    put_word(VTOR, table_address(0));
#if defined(__ARM_FP)
    put_word(FPDSCR, 0);
    put_word(FPCCR, REGISTER(FPCCR) | 3u << 30);
    fp_forget();
#endif
}

static char *write_text(char *to, const char *from) {
    while (*from != 0) {
        *to++ = *from++;
    }
    return to;
}

static char *write_hex(char *to, uint32_t value) {
    int shift = 28;
    while (shift > 0 && value >> shift == 0) {
        shift -= 4;
    }
    for (; shift >= 0; shift -= 4) {
        *to++ = "0123456789abcdef"[(value >> shift) & 15u];
    }
    return to;
}

static void print_log(unsigned number) {
    char *to = write_text(text, "program ");
    to = write_text(write_hex(to, number), "\n");
    for (unsigned i = 0; i < event_count; i++) {
        to = write_text(to, events[i].name);
        *to++ = ' ';
        to = write_hex(to, events[i].value);
        *to++ = '\n';
    }
    *to = 0;
    semihost_write(text);
}

int main(void) {
    const uint32_t header = *(const volatile uint32_t *)(const void *)program;
    const uint32_t count = header & 0xffffu;
    flags = header >> 16;
    next = (const volatile Operation *)(const void *)(program + 4);
    put_word(VTOR, table_address(0));
    for (uint32_t i = 0; i < count; i++) {
        event_count = depth = activations = 0;
        fp_filled = return_badly = 0;
        good_return = 0;
        run(~0u);
        while (next->code != OP_end) {
            next++;
        }
        reset_state();
        next++;
        print_log(i);
    }
    return 0;
}
