# Completion of krea in PowerShell: put this line into $PROFILE
#   krea --show-completion powershell | Out-String | Invoke-Expression

Register-ArgumentCompleter -Native -CommandName krea, krea-cli -ScriptBlock {
    param($word, $ast, $cursor)
    $line = $ast.ToString()
    $length = $cursor - $ast.Extent.StartOffset
    $line = if ($length -gt $line.Length) { "$line " } else { $line.Substring(0, $length) }
    $env:_KREA_COMPLETE = 'powershell'
    $env:_KREA_LINE = $line
    try {
        $answer = @(& $ast.CommandElements[0].Value 2>$null)
    } finally {
        Remove-Item Env:_KREA_COMPLETE, Env:_KREA_LINE
    }
    foreach ($each in $answer | Select-Object -Skip 1) {
        $text, $about = $each -split "`t", 2
        $shown = if ($about) { $about } else { $text }
        $quoted = if ($text -match '^[\w@%+=:,./-]+$' -and $text -notmatch '^@') { $text } else {
            "'" + $text.Replace("'", "''") + "'"
        }
        [System.Management.Automation.CompletionResult]::new(
            $quoted, $text, 'ParameterValue', $shown)
    }
}
