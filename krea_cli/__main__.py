from krea_cli.entry import run

run()
