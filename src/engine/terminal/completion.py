"""Completion of keys and choices in bash, for programs that are called as modules, which hydra's own does not know."""

from collections.abc import Sequence
from typing import Final

_FLAGS: Final = frozenset({"-sc", "--shell-completion"})

BASH: Final = r"""hydra_bash_completion() {
    local program="${COMP_WORDS[2]}" word="${COMP_WORDS[COMP_CWORD]}"
    [[ "${COMP_WORDS[1]}" == -m && ( "$program" == src.eval || "$program" == src.predict ) ]] || return
    local typed="${COMP_LINE#*"$program"}"
    COMPREPLY=($(compgen -W "$(COMP_LINE="python program.py$typed" COMP_POINT=0 \
        "${COMP_WORDS[0]}" -m "$program" -sc query=bash 2>/dev/null)" -- "$word"))
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}
complete -o nospace -o default -F hydra_bash_completion python python3
"""
"""What hydra answers to a query, for the words behind `python -m src.eval`."""


def installs_bash(arguments: Sequence[str]) -> bool:
    """Whether the command line asks for the text that bash is to evaluate.

    >>> installs_bash(["-sc", "install=bash"]), installs_bash(["-sc", "query=bash"])
    (True, False)
    """
    return bool(_FLAGS & set(arguments)) and "install=bash" in arguments
