#compdef krea krea-cli
# Completion of krea in zsh: put this file, named _krea, into a folder of $fpath.

_krea() {
    local line text wide=0
    local -a before lines texts shown open opened list
    before=("${(@qq)${(@Q)words[1,CURRENT-1]}}")
    lines=("${(@f)$(_KREA_COMPLETE=zsh _KREA_LINE="$before $QIPREFIX$PREFIX" \
        ${(Q)~words[1]} 2>/dev/null </dev/null)}")
    if [[ $lines[1] == files ]]; then
        compset -P '--[^=]#='
        _files
        return
    fi
    shift lines
    for text in "${(@)lines%%$'\t'*}"; do
        (( wide = $#text > wide ? $#text : wide ))
    done
    for line in "$lines[@]"; do
        text=${line%%$'\t'*}
        if [[ $line == *$'\t'* ]]; then
            list=(-l)
            line="${(mr:wide:)text}  -- ${line#*$'\t'}"
        fi
        line=$line[1,COLUMNS-1]
        if [[ $text == *[=/] ]]; then
            open+=("$text")
            opened+=("$line")
        else
            texts+=("$text")
            shown+=("$line")
        fi
    done
    compadd $list -V krea -d shown -- "$texts[@]"
    compadd $list -V krea -S '' -d opened -- "$open[@]"
    # Otherwise zsh rings the bell.
    (( compstate[nmatches] ))
}

if [[ $funcstack[1] == _krea ]]; then
    _krea "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
    compdef _krea krea krea-cli
fi
