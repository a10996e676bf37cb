#include "board/board.h"

const char *board_kind_to_string(enum board_kind kind)
{
    static const char *const words[] = {
        [BOARD_BARE] = "bare",
        [BOARD_PC] = "pc",
        [BOARD_VIRT] = "virt",
    };

    return words[kind];
}
