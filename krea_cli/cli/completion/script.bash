# Completion of krea in bash: source this file, or put it, named krea, into
# ~/.local/share/bash-completion/completions/

_krea() {
    local kind line
    COMPREPLY=()
    {
        IFS= read -r kind
        while IFS= read -r line; do
            COMPREPLY+=("$line")
        done
    } < <(_KREA_COMPLETE=bash _KREA_LINE="${COMP_LINE:0:COMP_POINT}" \
        _KREA_WORD="$2" "${1/#~\//$HOME/}" 2>/dev/null </dev/null)
    if [[ $kind == words ]]; then
        # A word without candidates is no file.
        compopt +o default 2>/dev/null
        if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=/] ]]; then
            compopt -o nospace 2>/dev/null
        fi
    fi
}

complete -o default -F _krea krea krea-cli
