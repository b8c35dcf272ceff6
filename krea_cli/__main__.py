from krea_cli.cli.entry import run

run()
