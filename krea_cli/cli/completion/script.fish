# Completion of krea in fish: put this file, named krea.fish, into
# ~/.config/fish/completions/

# False where files are meant, which fish then completes by itself.
function __krea_ask
    set -l program (string replace -r '^~(?=/)' -- $HOME (commandline -opc)[1])
    type -q -- $program; or return
    set -l lines (_KREA_COMPLETE=fish _KREA_LINE=(commandline -cp | string collect) \
        $program 2>/dev/null </dev/null)
    set -g __krea_candidates $lines[2..-1]
    test "$lines[1]" != files
end

for program in krea krea-cli
    complete --command $program --condition __krea_ask --no-files --keep-order \
        --arguments '$__krea_candidates'
end
