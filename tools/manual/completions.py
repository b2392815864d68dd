"""The scripts by which shells complete `auth-jwt`. They ask the command itself, so they know every option it has."""

from collections.abc import Mapping
from typing import Final

_VARIABLE: Final = "_AUTH_JWT_COMPLETE"  # Typer's name for it

BASH: Final = f"""\
# bash completion for auth-jwt
_auth_jwt() {{
    local IFS=$'\\n'
    COMPREPLY=($(COMP_WORDS="${{COMP_WORDS[*]}}" COMP_CWORD=$COMP_CWORD {_VARIABLE}=complete_bash "$1" 2>/dev/null))
}}
complete -o default -F _auth_jwt auth-jwt
"""
ZSH: Final = f"""\
#compdef auth-jwt
# zsh completion for auth-jwt
_auth_jwt() {{
    eval "$(_TYPER_COMPLETE_ARGS="${{words[1,$CURRENT]}}" {_VARIABLE}=complete_zsh auth-jwt 2>/dev/null)"
}}
if [[ $funcstack[1] == _auth-jwt ]]; then
    _auth_jwt "$@" # found in fpath: this file is the function
else
    compdef _auth_jwt auth-jwt
fi
"""
FISH: Final = f"""\
# fish completion for auth-jwt
function __auth_jwt
    set --local --export _TYPER_COMPLETE_FISH_ACTION $argv[1]
    set --local --export _TYPER_COMPLETE_ARGS (commandline -cp)
    {_VARIABLE}=complete_fish auth-jwt 2>/dev/null
end
complete --command auth-jwt --no-files --condition '__auth_jwt is-args' --arguments '(__auth_jwt get-args)'
"""
FILES: Final[Mapping[str, str]] = {
    "share/bash-completion/completions/auth-jwt": BASH,
    "share/zsh/site-functions/_auth-jwt": ZSH,
    "share/fish/vendor_completions.d/auth-jwt.fish": FISH,
}
"""Where each shell looks for its script, below the environment's folder."""
