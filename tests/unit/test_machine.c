#include "unit_test.h"

#include "kvm/machine.h"

/* A machine without KVM, whose owner notes what it is told, a letter each. */
struct owned {
    struct machine machine;
    char told[32];
    unsigned count;
};

static void note(struct owned *owned, char what)
{
    assert_in_range(owned->count, 0, sizeof(owned->told) - 2);
    owned->told[owned->count++] = what;
    owned->told[owned->count] = '\0';
}

static void on_stands(void *context)
{
    note(context, 'S');
}

static void on_goes_on(void *context)
{
    note(context, 'G');
}

static struct machine *set_up(struct owned *owned, unsigned cpus)
{
    *owned = (struct owned){
        .machine = {
            .config.cpus = cpus,
            .owner = { .stands = on_stands, .goes_on = on_goes_on, .context = owned },
            .lock = PTHREAD_MUTEX_INITIALIZER,
        },
    };
    for (unsigned i = 0; i < cpus; i++)
        owned->machine.vcpus[i] = (struct vcpu){ .machine = &owned->machine, .index = i, .fd = -1 };
    return &owned->machine;
}

static void stand(struct machine *machine, unsigned index, unsigned wish)
{
    machine_stand(machine, &machine->vcpus[index], wish);
}

static void machine_stands_once_all_its_vcpus_do(void **state)
{
    struct owned owned;
    struct machine *machine = set_up(&owned, 3);

    (void)state;
    stand(machine, 1, 1);
    stand(machine, 0, 1);
    assert_string_equal(owned.told, "");
    stand(machine, 2, 1);
    assert_string_equal(owned.told, "S");
}

static void machine_goes_on_with_the_first_that_does(void **state)
{
    struct owned owned;
    struct machine *machine = set_up(&owned, 2);

    (void)state;
    stand(machine, 0, 1);
    stand(machine, 1, 1);
    machine_go_on(machine);
    assert_string_equal(owned.told, "SG");
    machine_go_on(machine);
    assert_string_equal(owned.told, "SG");
}

/* One CPU is let run, and paused again, before the other has noticed that it may go on. */
static void vcpu_that_has_not_gone_on_yet_does_not_stand_for_the_next_wish(void **state)
{
    struct owned owned;
    struct machine *machine = set_up(&owned, 2);

    (void)state;
    stand(machine, 0, 1);
    stand(machine, 1, 1);
    machine_go_on(machine);
    stand(machine, 0, 3);
    assert_string_equal(owned.told, "SG");
    machine_go_on(machine);
    assert_string_equal(owned.told, "SG");
    stand(machine, 1, 3);
    assert_string_equal(owned.told, "SGS");
    machine_go_on(machine);
    machine_go_on(machine);
    assert_string_equal(owned.told, "SGSG");
}

static void pause_that_did_not_come_about_is_told_to_nobody(void **state)
{
    struct owned owned;
    struct machine *machine = set_up(&owned, 2);

    (void)state;
    stand(machine, 1, 1);
    machine_go_on(machine); /* the VM is to end */
    assert_string_equal(owned.told, "");
    assert_int_equal(machine->stood_ns, 0);
}

/* Kicks each of `cpus` vCPUs, as often as that: all are found asleep. */
static void find_asleep(struct machine *machine, unsigned cpus, unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++)
        for (unsigned i = 0; i < cpus; i++)
            machine_found(machine, &machine->vcpus[i], true);
}

static void machine_is_asleep_once_all_were_found_so_again_and_again(void **state)
{
    for (unsigned cpus = 1; cpus <= 4; cpus++) {
        struct owned owned;
        struct machine *machine = set_up(&owned, cpus);

        find_asleep(machine, cpus, 1);
        assert_false(machine_is_asleep(machine));
        find_asleep(machine, cpus, 2);
        assert_true(machine_is_asleep(machine));
    }
    (void)state;
}

static void machine_is_awake_while_one_vcpu_is(void **state)
{
    struct owned owned;
    struct machine *machine = set_up(&owned, 3);

    (void)state;
    find_asleep(machine, 3, 5);
    machine_found(machine, &machine->vcpus[1], false);
    assert_false(machine_is_asleep(machine));
    find_asleep(machine, 1, 5);
    machine_found(machine, &machine->vcpus[2], true);
    assert_false(machine_is_asleep(machine));
}

static void exit_is_no_sleep(void **state)
{
    struct owned owned;
    struct machine *machine = set_up(&owned, 2);

    (void)state;
    find_asleep(machine, 2, 5);
    machine->sleep[0].asleep = false; /* as the handling of an exit does */
    assert_false(machine_is_asleep(machine));
}

/* It has woken another before, which the host has not let run since. */
static void vcpu_that_falls_asleep_makes_the_others_say_anew_that_they_are(void **state)
{
    struct owned owned;
    struct machine *machine = set_up(&owned, 2);

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        machine_found(machine, &machine->vcpus[0], false);
        machine_found(machine, &machine->vcpus[1], true);
    }
    for (unsigned i = 0; i < 5; i++)
        machine_found(machine, &machine->vcpus[0], true);
    assert_false(machine_is_asleep(machine));
    machine_found(machine, &machine->vcpus[1], false);
    assert_false(machine_is_asleep(machine));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(machine_stands_once_all_its_vcpus_do),
        cmocka_unit_test(machine_goes_on_with_the_first_that_does),
        cmocka_unit_test(vcpu_that_has_not_gone_on_yet_does_not_stand_for_the_next_wish),
        cmocka_unit_test(pause_that_did_not_come_about_is_told_to_nobody),
        cmocka_unit_test(machine_is_asleep_once_all_were_found_so_again_and_again),
        cmocka_unit_test(machine_is_awake_while_one_vcpu_is),
        cmocka_unit_test(exit_is_no_sleep),
        cmocka_unit_test(vcpu_that_falls_asleep_makes_the_others_say_anew_that_they_are),
    };

    return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
