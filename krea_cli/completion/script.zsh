#compdef krea krea-cli
# Completion of krea in zsh: put this file, named _krea, into a folder of $fpath.

_krea() {
    local kind line
    local -a lines texts shown open opened
    lines=("${(@f)$(_KREA_COMPLETE=zsh _KREA_LINE="${(j: :)words[1,CURRENT-1]} $PREFIX" \
        "$words[1]" 2>/dev/null </dev/null)}")
    kind=$lines[1]
    if [[ $kind == files ]]; then
        _files
        return
    fi
    for line in "${(@)lines[2,-1]}"; do
        if [[ ${line%%$'\t'*} == *[=/] ]]; then
            open+=("${line%%$'\t'*}")
            opened+=("${line/$'\t'/  -- }")
        elif [[ -n $line ]]; then
            texts+=("${line%%$'\t'*}")
            shown+=("${line/$'\t'/  -- }")
        fi
    done
    if (( $#texts )); then compadd -l -d shown -- "$texts[@]"; fi
    if (( $#open )); then compadd -l -S '' -d opened -- "$open[@]"; fi
}

if [[ $funcstack[1] == _krea ]]; then
    _krea "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
    compdef _krea krea krea-cli
fi
