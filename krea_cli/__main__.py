from krea_cli.main import run

run()
