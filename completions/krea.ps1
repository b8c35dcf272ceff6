# Completion of krea in PowerShell: put this line into $PROFILE
#   krea --show-completion powershell | Out-String | Invoke-Expression

Register-ArgumentCompleter -Native -CommandName krea, krea-cli -ScriptBlock {
    param($word, $ast, $cursor)
    $line = $ast.ToString()
    $length = $cursor - $ast.Extent.StartOffset
    $line = if ($length -gt $line.Length) { "$line " } else { $line.Substring(0, $length) }
    $env:_KREA_COMPLETE = 'powershell'
    $env:_KREA_LINE = $line
    $encoding = [Console]::OutputEncoding
    try {
        # Windows reads what a program writes in a code page of its own.
        [Console]::OutputEncoding = [System.Text.Encoding]::UTF8
        $answer = @(& $ast.CommandElements[0].Value 2>$null)
    } finally {
        Remove-Item Env:_KREA_COMPLETE, Env:_KREA_LINE
        [Console]::OutputEncoding = $encoding
    }
    $code = [System.Management.Automation.Language.CodeGeneration]
    foreach ($each in $answer | Select-Object -Skip 1) {
        $text, $about = $each -split "`t", 2
        $shown = if ($about) { $about } else { $text }
        # A comma makes two words, and so may a point or a colon after a dash.
        $quoted = if ($text -match '^(-[\w=@/-]+|[\w./][\w@+=:./-]*)$') { $text } else {
            "'" + $code::EscapeSingleQuotedStringContent($text) + "'"
        }
        [System.Management.Automation.CompletionResult]::new(
            $quoted, $text, 'ParameterValue', $shown)
    }
}
