# Completion of krea in fish: put this file, named krea.fish, into
# ~/.config/fish/completions/

function __krea_complete
    set -l program (commandline -opc)[1]
    set -l lines (_KREA_COMPLETE=fish _KREA_LINE=(commandline -cp | string collect) \
        $program 2>/dev/null </dev/null)
    if test "$lines[1]" = files
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $lines[2..-1]
    end
end

complete --command krea --no-files --arguments '(__krea_complete)'
complete --command krea-cli --no-files --arguments '(__krea_complete)'
