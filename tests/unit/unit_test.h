/*
 * cmocka, and the headers it wants included before it, in the order it wants them.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
