/*
 * Bounds of the wire, for both ends. What a peer can make grow ends at one of these.
 */
#pragma once

#define PROTOCOL_VERSION 1

#define PROTOCOL_LINE_MAX   (1024 * 1024) /* bytes in one JSON text, its LF not counted */
#define PROTOCOL_DEPTH_MAX  16            /* arrays and objects inside one another */
#define PROTOCOL_VALUES_MAX 16384         /* values in a line of requests: each may cost 1 KiB */
#define PROTOCOL_ID_MAX     256           /* bytes of a request's id that is a string */
#define PROTOCOL_BATCH_MAX  128           /* requests in one batch (JSON-RPC 2.0 section 6) */
#define PROTOCOL_FDS_MAX    16            /* descriptors that may come with one line */
#define PROTOCOL_OUTPUT_MAX (48 * 1024)   /* bytes of guest output in a message, not encoded */
