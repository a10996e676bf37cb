# bash completion for vmmctl                                   -*- shell-script -*-
#
# Commands, options and what operands are come from `vmmctl help`, so that none can be forgotten
# here. VMs are asked of a daemon that is there; completing must not start one.

_vmmctl_commands() {
    "$1" help 2>/dev/null | awk '/^Commands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'
}

# The ids and names of all VMs. $2: the value of --socket, if any.
_vmmctl_vms() {
    local socket
    for socket in ${2:-"$VMMD_SOCKET" /run/vmmd/vmmd.sock \
        "$XDG_RUNTIME_DIR/vmmd/vmmd.sock" "/tmp/vmmd-$UID/vmmd.sock"}; do
        if [[ -S $socket && -w $socket ]]; then
            "$1" list --all --socket "$socket" 2>/dev/null | awk 'NR > 1 { print $1; print $2 }'
            return
        fi
    done
}

# How `vmmctl help` describes option $2 in the text $1: "NAME|a name of its own among live VMs".
_vmmctl_option() {
    awk -v option="$2" '
        { for (i = 1; i <= 2; i++) if ($i == option || $i == option ",") found = 1 }
        found {
            sub(/^ +(-., )?--[a-z-]+ ?/, "")
            value = /^[A-Z]/ ? $1 : ""
            sub(/^[A-Z]* */, "")
            print value "|" $0
            exit
        }' <<<"$1"
}

_vmmctl_files() {
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

_vmmctl() {
    local program=$1 cur=$2 prev=$3 command= help= socket= option= words= i
    COMPREPLY=()

    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --socket) socket=${COMP_WORDS[++i]} ;;
        -*) ;;
        *)
            [[ $command ]] || command=${COMP_WORDS[i]}
            ;;
        esac
    done

    if [[ ! $command ]]; then
        case $prev in
        --socket) _vmmctl_files "$cur" && return ;;
        esac
        words="$(_vmmctl_commands "$program") --socket --json --help --version"
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
        return
    fi

    help=$("$program" help "$command" 2>/dev/null) || return
    [[ $prev == -* ]] && option=$(_vmmctl_option "$help" "$prev")
    case $option in
    PATH\|* | FILE\|*)
        _vmmctl_files "$cur"
        return
        ;;
    [A-Z]*)
        # What stands behind the colon of the description: the values, or examples of them.
        [[ $option == *:* ]] && words=${option##*: }
        mapfile -t COMPREPLY < <(compgen -W "${words//,/}" -- "$cur")
        return
        ;;
    esac

    if [[ $cur == -* ]]; then
        words=$(grep -o -e '^ .*  *--[a-z-]*' <<<"$help" | grep -o -e '--[a-z-]*')
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
        return
    fi
    case ${help%%$'\n'*} in
    *IMAGE*) _vmmctl_files "$cur" ;;
    *COMMAND*) mapfile -t COMPREPLY < <(compgen -W "$(_vmmctl_commands "$program")" -- "$cur") ;;
    *VM*) mapfile -t COMPREPLY < <(compgen -W "$(_vmmctl_vms "$program" "$socket")" -- "$cur") ;;
    esac
}

complete -F _vmmctl vmmctl
