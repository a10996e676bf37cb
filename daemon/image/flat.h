/*
 * Flat image: raw bytes, copied to one address and entered there, or wherever in them the request
 * says.
 */
#pragma once

#include "image/loader.h"

/* load: see image_load(). */
extern const struct image_loader flat_loader;
