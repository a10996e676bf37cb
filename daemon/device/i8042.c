/*
 * IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller";
 * what it leaves open is as Linux expects it (drivers/input/serio/i8042.c).
 */
#include "device/i8042.h"

enum {
    STATUS_OUTPUT_FULL = 0x01,
    STATUS_SYSTEM = 0x04,  /* the self test has passed */
    STATUS_COMMAND = 0x08, /* the last write was a command */
    STATUS_UNLOCKED = 0x10,
    STATUS_TIMEOUT = 0x40,

    CONFIGURATION_INTERRUPT = 0x01,
    CONFIGURATION_SYSTEM = 0x04,
    CONFIGURATION_KEYBOARD_OFF = 0x10,
    CONFIGURATION_AUXILIARY_OFF = 0x20,
    CONFIGURATION_TRANSLATE = 0x40,

    OUTPUT_PORT_RUN = 0x01, /* 0: the processor's reset line */
    OUTPUT_PORT_A20 = 0x02,
    OUTPUT_PORT_UNUSED = 0xcc, /* read as ones */

    COMMAND_READ_CONFIGURATION = 0x20,
    COMMAND_WRITE_CONFIGURATION = 0x60,
    COMMAND_AUXILIARY_OFF = 0xa7,
    COMMAND_AUXILIARY_ON = 0xa8,
    COMMAND_TEST_AUXILIARY = 0xa9,
    COMMAND_SELF_TEST = 0xaa,
    COMMAND_TEST_KEYBOARD = 0xab,
    COMMAND_KEYBOARD_OFF = 0xad,
    COMMAND_KEYBOARD_ON = 0xae,
    COMMAND_READ_INPUT_PORT = 0xc0,
    COMMAND_READ_OUTPUT_PORT = 0xd0,
    COMMAND_WRITE_OUTPUT_PORT = 0xd1,
    COMMAND_WRITE_KEYBOARD_OUTPUT = 0xd2,
    COMMAND_WRITE_AUXILIARY_OUTPUT = 0xd3,
    COMMAND_SEND_AUXILIARY = 0xd4,
    COMMAND_A20_OFF = 0xdd,
    COMMAND_A20_ON = 0xdf,
    COMMAND_PULSE = 0xf0, /* to 0xff: bits that are 0 go low on the output port, for a moment */

    SELF_TEST_PASSED = 0x55,
    INTERFACE_GOOD = 0x00,
    INTERFACE_CLOCK_STUCK = 0x01,
    INPUT_PORT_UNLOCKED = 0x80,
    RESEND = 0xfe, /* with STATUS_TIMEOUT: nobody took the byte */
};

void i8042_init(struct i8042 *i8042, struct guest_end *end, const struct interrupt_line *irq)
{
    *i8042 = (struct i8042){ .end = end, .irq = *irq };
}

void i8042_reset(void *device)
{
    struct i8042 *i8042 = device;

    i8042->status = STATUS_SYSTEM | STATUS_UNLOCKED;
    i8042->configuration = CONFIGURATION_INTERRUPT | CONFIGURATION_SYSTEM |
                           CONFIGURATION_AUXILIARY_OFF | CONFIGURATION_TRANSLATE;
    i8042->output_port = OUTPUT_PORT_RUN | OUTPUT_PORT_A20 | OUTPUT_PORT_UNUSED;
}

static void update_interrupt(struct i8042 *i8042)
{
    bool level = i8042->output_full && (i8042->configuration & CONFIGURATION_INTERRUPT);

    if (level == i8042->interrupt)
        return;
    i8042->interrupt = level;
    interrupt_line_set(&i8042->irq, level);
}

static void answer(struct i8042 *i8042, uint8_t value)
{
    i8042->output = value;
    i8042->output_full = true;
    i8042->status &= (uint8_t)~STATUS_TIMEOUT;
    update_interrupt(i8042);
}

/* For a keyboard or a mouse, which are not there. */
static void answer_nobody(struct i8042 *i8042)
{
    answer(i8042, RESEND);
    i8042->status |= STATUS_TIMEOUT;
}

static void configure(struct i8042 *i8042, uint8_t value)
{
    i8042->configuration = value;
    update_interrupt(i8042);
}

/* A20 is remembered, no more: KVM cannot hold the line down, and nobody needs it held. */
static void write_output_port(struct i8042 *i8042, uint8_t value)
{
    i8042->output_port = value;
    if (!(value & OUTPUT_PORT_RUN))
        guest_end_set(i8042->end, GUEST_END_GUEST_EXIT, 0,
                      "the guest reset the machine (by the keyboard controller, port 0x64)");
}

uint8_t i8042_read_data(void *device, uint64_t offset)
{
    struct i8042 *i8042 = device;

    (void)offset;
    i8042->output_full = false;
    i8042->status &= (uint8_t)~STATUS_TIMEOUT;
    update_interrupt(i8042);
    return i8042->output;
}

void i8042_write_data(void *device, uint64_t offset, uint8_t value)
{
    struct i8042 *i8042 = device;
    uint8_t command = i8042->command;

    (void)offset;
    i8042->command = 0;
    i8042->status &= (uint8_t)~STATUS_COMMAND;
    switch (command) {
    case COMMAND_WRITE_CONFIGURATION:
        configure(i8042, value);
        break;
    case COMMAND_WRITE_OUTPUT_PORT:
        write_output_port(i8042, value);
        break;
    case COMMAND_WRITE_KEYBOARD_OUTPUT:
    case COMMAND_WRITE_AUXILIARY_OUTPUT: /* comes as a keyboard's: so there is no second port */
        answer(i8042, value);
        break;
    default: /* COMMAND_SEND_AUXILIARY, or no command: a byte for the keyboard */
        answer_nobody(i8042);
        break;
    }
}

uint8_t i8042_read_status(void *device, uint64_t offset)
{
    const struct i8042 *i8042 = device;

    (void)offset;
    return i8042->status | (i8042->output_full ? STATUS_OUTPUT_FULL : 0);
}

static void self_test(struct i8042 *i8042)
{
    i8042->status |= STATUS_SYSTEM;
    answer(i8042, SELF_TEST_PASSED);
}

void i8042_write_command(void *device, uint64_t offset, uint8_t value)
{
    struct i8042 *i8042 = device;

    (void)offset;
    i8042->command = 0;
    i8042->status |= STATUS_COMMAND;
    switch (value) {
    case COMMAND_READ_CONFIGURATION:
        answer(i8042, i8042->configuration);
        break;
    case COMMAND_WRITE_CONFIGURATION:
    case COMMAND_WRITE_OUTPUT_PORT:
    case COMMAND_WRITE_KEYBOARD_OUTPUT:
    case COMMAND_WRITE_AUXILIARY_OUTPUT:
    case COMMAND_SEND_AUXILIARY:
        i8042->command = value;
        break;
    case COMMAND_AUXILIARY_OFF:
        configure(i8042, i8042->configuration | CONFIGURATION_AUXILIARY_OFF);
        break;
    case COMMAND_AUXILIARY_ON:
        configure(i8042, i8042->configuration & (uint8_t)~CONFIGURATION_AUXILIARY_OFF);
        break;
    case COMMAND_TEST_AUXILIARY:
        answer(i8042, INTERFACE_CLOCK_STUCK);
        break;
    case COMMAND_SELF_TEST:
        self_test(i8042);
        break;
    case COMMAND_TEST_KEYBOARD:
        answer(i8042, INTERFACE_GOOD);
        break;
    case COMMAND_KEYBOARD_OFF:
        configure(i8042, i8042->configuration | CONFIGURATION_KEYBOARD_OFF);
        break;
    case COMMAND_KEYBOARD_ON:
        configure(i8042, i8042->configuration & (uint8_t)~CONFIGURATION_KEYBOARD_OFF);
        break;
    case COMMAND_READ_INPUT_PORT:
        answer(i8042, INPUT_PORT_UNLOCKED);
        break;
    case COMMAND_READ_OUTPUT_PORT:
        answer(i8042, i8042->output_port);
        break;
    case COMMAND_A20_OFF:
        write_output_port(i8042, i8042->output_port & (uint8_t)~OUTPUT_PORT_A20);
        break;
    case COMMAND_A20_ON:
        write_output_port(i8042, i8042->output_port | OUTPUT_PORT_A20);
        break;
    default:
        if (value >= COMMAND_PULSE && !(value & OUTPUT_PORT_RUN))
            write_output_port(i8042, i8042->output_port & (uint8_t)~OUTPUT_PORT_RUN);
        break;
    }
}
