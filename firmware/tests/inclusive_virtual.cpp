// A callback through virtual functions: sensors::poll calls Sensor::read of whatever it is handed, which calls back
// through Listener::notify. The bodies that count are assembly:
//   Thermometer::read   5 instructions (push nop nop bl pop), calls raw_sample
//   Barometer::read     2 (nop bx)
//   raw_sample          4 (nop nop nop bx)
//   Counter::notify     3 (nop nop bx)
// main polls thermometer, barometer, thermometer: read 2 + 1 times, raw_sample 2, notify 3.
namespace sensors {

class Listener {
public:
    virtual void notify(int value) = 0;
};

class Sensor {
public:
    virtual int read() = 0;
};

extern "C" __attribute__((naked, noinline, used)) int raw_sample() {
    __asm__("nop\n nop\n nop\n bx lr");
}

class Thermometer : public Sensor {
public:
    int read() override;
};

class Barometer : public Sensor {
public:
    int read() override;
};

class Counter : public Listener {
public:
    void notify(int value) override;
};

__attribute__((naked)) int Thermometer::read() {
    __asm__("push {r4, lr}\n nop\n nop\n bl raw_sample\n pop {r4, pc}");
}

__attribute__((naked)) int Barometer::read() {
    __asm__("nop\n bx lr");
}

__attribute__((naked)) void Counter::notify(int) {
    __asm__("nop\n nop\n bx lr");
}

// In assembly, so that no compiler changes it:
// push, mov, ldr, ldr, blx, mov, mov, ldr, ldr, blx, pop = 11.
__attribute__((naked, noinline)) void poll(Sensor &, Listener &) {
    __asm__("push {r4, lr}\n"
            "mov r4, r1\n"
            "ldr r3, [r0]\n"
            "ldr r3, [r3]\n"
            "blx r3\n"
            "mov r1, r0\n"
            "mov r0, r4\n"
            "ldr r3, [r4]\n"
            "ldr r3, [r3]\n"
            "blx r3\n"
            "pop {r4, pc}\n");
}

template <typename Kind>
__attribute__((noinline)) void poll_with(Kind &sensor, Listener &listener) {
    poll(sensor, listener);
}

}  // namespace sensors

// Needs code at start-up: the exit code shows that it ran.
struct Constructed {
    volatile int value;
    Constructed() : value(42) { __asm__ volatile(""); }
};

Constructed constructed;
sensors::Thermometer thermometer;
sensors::Barometer barometer;
sensors::Counter counter;

int main() {
    sensors::poll(thermometer, counter);
    sensors::poll_with(barometer, counter);
    sensors::poll(thermometer, counter);
    return constructed.value - 42;
}
