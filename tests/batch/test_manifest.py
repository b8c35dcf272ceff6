"""
What a manifest says, and everything that can be wrong with it.
"""

from __future__ import annotations

import tomllib

import pytest

from krea_cli.batch.problems import ManifestError
from krea_cli.batch.toml_lines import KeyLines

EXAMPLE = """\
#:schema ./batch.schema.json
[defaults]
model = "google/nano-banana-pro"
expect = ["not-blank"]

[budget]
usd = 5.00

[[pictures]]
each = "photos/*.jpg"
prompt = "a watercolour"
output = "out/{stem}.png"

[[pictures]]
each = "products.csv"
prompt = "{name}, on {background}, studio light"
image = "shots/{sku}.jpg"
output = "out/{sku}-{model}-{seed}.png"
aspect_ratio = "1:1"
resolution = "1K"
params = { creativity = "raw" }
[pictures.matrix]
model = ["krea-2/large", "krea-2/medium"]
seed = [1, 2]

[[pictures]]
image = "out/A1-large-1.png"
model = "krea/enhance"
output = "out/A1-poster.png"
"""


@pytest.fixture
def example(expand):
    for name in ("owl.jpg", "Ä b.jpg"):
        expand.write(f"photos/{name}", "x")
    expand.write("products.csv", "sku,name,background\nA1,Chair,oak\nB2,Lamp,slate\n")
    return expand.manifest(EXAMPLE)


def test_items_example_has_one_for_each_file_row_and_combination(example):
    assert [
        "out/owl.png",
        "out/Ä b.png",
        "out/A1-large-1.png",
        "out/A1-large-2.png",
        "out/A1-medium-1.png",
        "out/A1-medium-2.png",
        "out/B2-large-1.png",
        "out/B2-large-2.png",
        "out/B2-medium-1.png",
        "out/B2-medium-2.png",
        "out/A1-poster.png",
    ] == [item.output for item in example]


def test_items_example_fill_in_words_fields_and_defaults(example):
    chair = example[3]

    assert "Chair, on oak, studio light" == chair.prompt
    assert "krea-2/large" == chair.model
    assert {"seed": 2, "aspect_ratio": "1:1", "resolution": "1K"} == chair.fields
    assert {"creativity": "raw"} == chair.params
    assert ("shots/A1.jpg",) == chair.images
    assert ("not-blank",) == chair.expect
    assert "products.csv, row 2" == str(chair.position)
    assert "google/nano-banana-pro" == example[0].model


def test_items_example_link_the_output_of_another_item(example):
    assert {"out/A1-large-1.png": "out/A1-large-1.png"} == example[-1].needs
    assert not any(item.needs for item in example[:-1])


GROUP = '[[pictures]]\nprompt = "an owl"\noutput = "owl.png"\n'
WRONG = {
    "broken": ("[[pictures]\n", "pictures.toml, line 1: The line is not valid TOML"),
    "unquoted": ("[[pictures]]\nmodel = krea\n", "line 2: ", "Text needs quotes"),
    "twice": ("[[pictures]]\nseed = 1\nseed = 2\n", "line 3: ", "already set"),
    "unknown table": (GROUP + "[default]\n", "line 4: ", "Did you mean 'defaults'?"),
    "outside": (f"seed = 1\n{GROUP}", "line 1: 'seed' is outside of a table."),
    "no pictures": ("[defaults]\nseed = 1\n", "The manifest has no pictures."),
    "empty": ("", "The manifest has no pictures."),
    "one bracket": ("[pictures]\nprompt = 'x'\n", "line 1: ", "with two brackets"),
    "not a table": (f"defaults = 1\n{GROUP}", "line 1: 'defaults' must be a table."),
    "unknown key": (
        "[[pictures]]\n\npromt = 'x'\noutput = 'a.png'\n",
        "line 3: Unknown key 'promt'.",
        "Did you mean 'prompt'?",
    ),
    "a field of the model": (
        GROUP + "creativity = 'raw'\n",
        "line 4: ",
        "params = { creativity = ... }",
    ),
    "command line": (GROUP + "max_cost = 5\n", "line 4: ", "--max-cost"),
    "text for a number": (
        GROUP + "seed = '7'\n",
        "line 4: seed must be a whole number",
    ),
    "number for text": (GROUP + "aspect_ratio = 1\n", "line 4: ", "text in quotes"),
    "number for a switch": (GROUP + "sidecar = 1\n", "line 4: ", "true or false"),
    "size": (GROUP + "max_size = 'big'\n", "line 4: max_size must be a size"),
    "count": (GROUP + "count = 0\n", "line 4: count", "from 1 to 10,000"),
    "quality": (GROUP + "quality_out = 101\n", "line 4: ", "from 1 to 100"),
    "date": (GROUP + "params = { a = 2026-01-01 }\n", "line 4: ", "needs quotes"),
    "infinite": (GROUP + "params = { a = inf }\n", "line 4: ", "finite"),
    "budget": (f"[budget]\nusd = '5'\n{GROUP}", "line 2: usd must be a number"),
    "budget key": (f"[budget]\neur = 5\n{GROUP}", "line 2: Unknown key 'eur'"),
    "lock key": (f"[lock]\nprompt = false\n{GROUP}", "line 2: ", "'prompts'"),
    "same output": (
        GROUP * 2,
        "line 4: Two items have the same output: owl.png.",
    ),
    "same but for case": (
        GROUP + GROUP.replace("owl.png", "OWL.png"),
        "line 4: Two outputs differ only in case: owl.png, OWL.png",
    ),
    "matrix of an unknown field": (
        GROUP + "[pictures.matrix]\nsead = [1]\n",
        "line 5: Unknown field 'sead' in matrix.",
        "Did you mean 'seed'?",
    ),
    "matrix of a word that no text has": (
        GROUP + "[pictures.matrix]\nanimal = ['owl']\n",
        "line 5: Unknown field 'animal' in matrix.",
        "params.animal = [...]; to vary a text, write {animal} in it.",
    ),
    "matrix of a word that is a field of a model": (
        GROUP + "expect = ['{creativity}']\nmatrix.creativity = ['raw']\n",
        "line 5: Unknown field 'creativity' in matrix.",
        "To set this field of the model: params.creativity = [...]",
    ),
    "matrix of a word with a meaning": (
        GROUP + "expect = ['{index}']\nmatrix.index = [1]\n",
        "line 5: Unusable name 'index' in matrix. Choose another word.",
    ),
    "matrix of params without names": (
        GROUP + "matrix.params = [1]\n",
        "line 4: params in matrix must be a table.",
    ),
    "matrix without a list": (
        GROUP + "[pictures.matrix]\nseed = 1\n",
        "line 5: seed in matrix must be a list",
    ),
    "matrix of a wrong type": (
        GROUP + "matrix.seed = [\n  1,\n  'x',\n]\n",
        "line 6: seed in matrix must be a whole number",
    ),
    "matrix with one output": (
        GROUP + "matrix.seed = [1, 2]\n",
        "Two items have the same output: ",
        "{index} or {seed}",
    ),
    "circle": (
        (
            "[[pictures]]\nimage = 'b.png'\noutput = 'a.png'\n"
            "[[pictures]]\nimage = 'a.png'\noutput = 'b.png'\n"
        ),
        "a.png -> b.png -> a.png",
    ),
    "itself": ("[[pictures]]\nimage='./a.png'\noutput='a.png'\n", "uses itself"),
    "unknown word": (
        GROUP.replace("an owl", "an {owl}"),
        "line 2: prompt: {owl} is unknown.",
        "Write {{ for a literal brace.",
    ),
    "misspelled word": (
        GROUP + "each = 'photos/*'\n" + 'negative_prompt = "{steam}"\n',
        "line 5: negative_prompt: {steam} is unknown. Did you mean 'stem'?",
    ),
    "open brace": (GROUP.replace("an owl", "an {owl"), "line 2: ", "literal brace"),
    "late word": (GROUP.replace("owl.png", "{job_id}.png"), "line 3: {job_id} is not"),
    "no output": (
        "[[pictures]]\nprompt = 'x'\n",
        'Example: output = "out/{index}.png"',
    ),
    "folder": (GROUP.replace("owl.png", "out/"), "line 3: 'out/' is a folder"),
    "no extension": (GROUP.replace("owl.png", "owl"), "has no extension"),
    "unwritable": (GROUP.replace("owl.png", "owl.psd"), "cannot write .psd files"),
    "no match": (GROUP + "each = 'none/*.jpg'\n", "line 4: No file matches"),
    "no table": (GROUP + "each = 'none.csv'\n", "line 4: Cannot read none.csv"),
    "climbing": (
        GROUP.replace("owl.png", "out/{seed}/../../owl.png") + "seed = 1\n",
        "output: 'out/1/../../owl.png' is outside of the folder 'out'",
    ),
    "itself by words": (
        GROUP + 'quality = "{resolution}"\nresolution = "{quality}"\n',
        "refers to itself",
    ),
    "device": (GROUP.replace("owl.png", "con.png"), "name of a device"),
}


@pytest.mark.parametrize("case", WRONG)
def test_manifest_wrong_is_reported_with_its_line(expand, case):
    expand.write("photos/a.jpg", "x")
    text, *expected = WRONG[case]

    error = expand.error(text)

    assert not [words for words in expected if words not in error], error


def test_manifest_wrong_reports_everything_at_once(expand):
    expand.write("rows.csv", "name,colour\nowl,red\n")

    error = expand.error(
        "[defaults]\nsed = 1\n[[pictures]]\neach = 'rows.csv'\nprompt = 5\n"
        "output = 'out/{nme}.png'\n[[pictures]]\ncount = 'x'\noutput='b.png'\n"
    )

    assert [
        "pictures.toml, line 2: Unknown key 'sed'. Did you mean 'seed'?",
        "pictures.toml, line 5: prompt must be text in quotes.",
        "pictures.toml, line 6: output: {nme} is unknown. Did you mean 'name'?",
        (
            "pictures.toml, line 8: count must be a whole number from 1 to 10,000, "
            "not text in quotes."
        ),
    ] == error.splitlines()


def test_manifest_error_of_one_problem_is_its_message(expand):
    with pytest.raises(ManifestError) as caught:
        expand.manifest(GROUP + "seeed = 1\n")

    assert "pictures.toml, line 4: Unknown key 'seeed'." == caught.value.message
    assert "Did you mean 'seed'?" == caught.value.hint


def test_manifest_repeated_problem_is_reported_once(expand):
    expand.write("rows.csv", "sku\n" + "..\n" * 40)

    error = expand.error("[[pictures]]\neach='rows.csv'\noutput='{sku}.png'\n")

    assert (
        "rows.csv, row 2 (and 39 more): 'sku' is empty, and the output name needs it."
        == error
    )


def test_items_command_line_overrides_defaults_but_not_pictures(expand):
    text = (
        '[defaults]\nmodel = "a"\nseed = 1\n[[pictures]]\noutput = "a.png"\n'
        '[[pictures]]\noutput = "b.png"\nmodel = "b"\n'
    )

    first, second = expand.manifest(text, model="c")

    assert ("c", {"seed": 1}) == (first.model, first.fields)
    assert "b" == second.model


def test_items_count_makes_copies_with_names_of_their_own(expand):
    items = expand.manifest(GROUP + "count = 3\n")

    assert ["owl-1.png", "owl-2.png", "owl-3.png"] == [item.output for item in items]
    assert [1, 2, 3] == [item.copy for item in items]


def test_items_index_has_a_width(expand):
    items = expand.manifest(
        GROUP.replace("owl.png", "owl-{index:03}.png") + "count = 2\n"
    )

    assert ["owl-001.png", "owl-002.png"] == [item.output for item in items]


def test_items_literal_braces_stay(expand):
    [item] = expand.manifest(GROUP.replace("an owl", '{{\\"a\\": 1}}'))

    assert '{"a": 1}' == item.prompt


def test_items_extension_is_known_for_a_model_or_refused(expand):
    text = GROUP.replace("owl.png", "owl.{ext}")

    [item] = expand.manifest(text)

    assert "owl.png" == item.output
    assert "{ext} is not known beforehand" in expand.error(f'{text}model = "audio"\n')


def test_items_matrix_of_words_varies_the_texts(expand):
    items = expand.manifest(
        "[defaults]\nprompt = 'a {size} {animal}'\n[[pictures]]\n"
        "output = '{animal}-{size}.png'\n[pictures.matrix]\n"
        "animal = ['owl', '{size}!']\nsize = [1, 2]\n"
    )

    assert [
        ("a 1 owl", "owl-1.png"),
        ("a 2 owl", "owl-2.png"),
        ("a 1 1!", "1!-1.png"),
        ("a 2 2!", "2!-2.png"),
    ] == [(item.prompt, item.output) for item in items]
    assert [{}] * 4 == [item.params for item in items]


def test_items_matrix_of_a_word_that_is_a_column_is_a_mistake(expand):
    expand.write("t.csv", "animal\nowl\n")

    found = expand.error(
        "[[pictures]]\neach = 't.csv'\nprompt = 'a {animal}'\n"
        "output = '{animal}.png'\nmatrix.animal = ['cat']\n"
    )

    assert "line 5: 'animal' in matrix is also a column of the table." in found


def test_items_params_and_matrix_of_params_are_words_too(expand):
    items = expand.manifest(
        "[[pictures]]\noutput = 'o-{creativity}.png'\nparams = { n = 1 }\n"
        "matrix.params.creativity = ['raw', 'high']\n"
    )

    assert ["o-raw.png", "o-high.png"] == [item.output for item in items]
    assert {"n": 1, "creativity": "high"} == items[1].params


def test_key_lines_of_every_form_of_toml():
    text = (
        'a = """\nx\n[b]\n"""\n'  # 1 to 4
        "[t] # [u]\n"  # 5
        "'k k'.\"l\\u0041\" = [1, # ]\n  2,\n]\n"  # 6 to 8
        "i = { x = 1, y = '''\n''' }\n"  # 9, 10
        "[[p]]\nm = '\"'\n[p.q]\nn = 1.5\n[[p]]\n[p.q]\nn = 2026-01-01 00:00:00\n"
    )
    tomllib.loads(text)

    lines = KeyLines(text)

    assert {
        ("a",): 1,
        ("t",): 5,
        ("t", "k k", "lA"): 6,
        ("t", "k k", "lA", 1): 7,
        ("t", "i", "y"): 9,
        ("p", 0, "m"): 12,
        ("p", 0, "q", "n"): 14,
        ("p", 1): 15,
        ("p", 1, "q", "n"): 17,
        ("p", 1, "q", "missing"): 16,
        ("nowhere",): 1,
    } == {
        path: lines[path]
        for path in [
            ("a",),
            ("t",),
            ("t", "k k", "lA"),
            ("t", "k k", "lA", 1),
            ("t", "i", "y"),
            ("p", 0, "m"),
            ("p", 0, "q", "n"),
            ("p", 1),
            ("p", 1, "q", "n"),
            ("p", 1, "q", "missing"),
            ("nowhere",),
        ]
    }
