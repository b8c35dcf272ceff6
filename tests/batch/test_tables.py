"""
Tables as spreadsheets and programs write them.
"""

from __future__ import annotations

import csv
import io
import json

import pytest

from krea_cli.batch.problems import ManifestError

PROMPTS = [
    (f"pic{number}", f'An "owl" no. {number}, in oil;\nsecond line | {{x}}')
    for number in range(1, 21)
]
OUTPUT = {"output": "out/{name}.png"}


def as_csv(*, delimiter=",", end="\r\n", bom=True, last=True):
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, lineterminator=end)
    writer.writerow(["name", "prompt"])
    writer.writerows(PROMPTS)
    text = file.getvalue()
    text = text if last else text.removesuffix(end)
    return (b"\xef\xbb\xbf" if bom else b"") + text.encode()


def as_jsonl(end="\n"):
    rows = [{"name": name, "prompt": prompt} for name, prompt in PROMPTS]
    return end.join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


def asked(items):
    return [(item.output, item.prompt, item.copy) for item in items]


EXPECTED = [(f"out/{name}.png", prompt, 1) for name, prompt in PROMPTS]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("excel.csv", as_csv()),
        ("unix.csv", as_csv(end="\n", bom=False)),
        ("unfinished.csv", as_csv(last=False)),
        ("european.csv", as_csv(delimiter=";")),
        ("declared.csv", b"sep=;\r\n" + as_csv(delimiter=";", bom=False)),
        ("tabs.csv", as_csv(delimiter="\t")),
        ("table.tsv", as_csv(delimiter="\t")),
        ("TABLE.CSV", as_csv()),
        ("empty-lines.csv", as_csv().replace(b"pic7,", b"\r\n,\r\n\r\npic7,")),
        ("rows.jsonl", as_jsonl()),
        ("crlf.jsonl", b"\xef\xbb\xbf" + as_jsonl("\r\n\r\n")),
    ],
)
def test_table_of_twenty_prompts_gives_the_same_items(expand, name, data):
    expand.write(name, data)

    assert EXPECTED == asked(expand(name, **OUTPUT))


def test_table_from_standard_input_is_json_lines(expand):
    expand.stdin = as_jsonl()

    assert EXPECTED == asked(expand("-", **OUTPUT))


def test_table_line_breaks_in_a_cell_are_of_one_kind(expand):
    expand.write("rows.csv", b'name,prompt\r\na,"one\r\ntwo"\r\n')

    [item] = expand("rows.csv", **OUTPUT)

    assert "one\ntwo" == item.prompt


def test_table_row_positions_are_those_of_the_spreadsheet(expand):
    expand.write("rows.csv", b'name,prompt\n\na,"x\ny"\nb,z\n')

    items = expand("rows.csv", **OUTPUT)

    assert ["rows.csv, row 3", "rows.csv, row 4"] == [str(i.position) for i in items]


def test_table_cells_are_fields_of_the_item(expand):
    expand.write(
        "rows.csv",
        "name,prompt,seed,image,sidecar,count,params.creativity,moodboards,model\n"
        "a,x,7,in/a b.jpg,TRUE,2,raw,[1],krea-2/large\nb,y,,,,,,,\n",
    )

    first, second, third = expand("rows.csv", **OUTPUT, model="m", seed=1)

    assert ("out/a-1.png", "out/a-2.png") == (first.output, second.output)
    assert {"seed": "7"} == first.fields
    assert {"creativity": "raw", "moodboards": "[1]"} == first.params
    assert ("in/a b.jpg",) == first.images
    assert (True, "krea-2/large") == (first.sidecar, first.model)
    assert ({"seed": 1}, "m", False) == (third.fields, third.model, third.sidecar)


def test_table_of_json_keeps_types(expand):
    expand.write(
        "rows.jsonl",
        '{"name": "a", "seed": 7, "image": ["1.jpg", "2.jpg"], "params.x": {"y": 1}}',
    )

    [item] = expand("rows.jsonl", **OUTPUT)

    assert {"seed": 7} == item.fields
    assert ("1.jpg", "2.jpg") == item.images
    assert {"x": {"y": 1}} == item.params


def test_table_prompt_of_the_command_line_surrounds_a_cell(expand):
    expand.write("rows.csv", "name,prompt\na,owl\n")

    [item] = expand("rows.csv", **OUTPUT, prompt="a painting of {prompt}")

    assert "a painting of owl" == item.prompt


def test_table_cells_are_no_templates(expand):
    expand.write("rows.csv", "name,animal\na,{name}\n")

    [item] = expand("rows.csv", **OUTPUT, prompt="{{{animal}}}")

    assert "{{name}}" == item.prompt


def test_table_blank_cell_takes_the_value_of_the_manifest_with_its_words(expand):
    columns = "prompt,output,image,style,expect,negative_prompt,model,creativity"
    cells = "{a},b.png,b.jpg,{c},{d},{e},{f},{g}"
    expand.write(
        "rows.csv", f"name,colour,{columns}\na,red,,,,,,,,\nb,{{name}},{cells}\n"
    )

    blank, full = expand.manifest(
        """
        [defaults]
        prompt = "a {colour} cube"
        output = "out/{name}.png"
        image = ["in/{name}.jpg", "in/{name}-2.jpg"]
        style = "{name}-style:0.5"
        expect = "aspect={name}"
        negative_prompt = "not {colour}"
        model = "maker/{name}"
        params = { creativity = "{colour}", moodboards = ["{colour}"] }
        [[pictures]]
        each = "rows.csv"
        """
    )

    assert ("a red cube", "out/a.png") == (blank.prompt, blank.output)
    assert ("in/a.jpg", "in/a-2.jpg") == blank.images
    assert (("a-style:0.5",), ("aspect=a",)) == (blank.styles, blank.expect)
    assert ({"negative_prompt": "not red"}, "maker/a") == (blank.fields, blank.model)
    assert {"creativity": "red", "moodboards": ["red"]} == blank.params
    # What a cell says is never a template.
    assert ("{a}", "b.png", ("b.jpg",)) == (full.prompt, full.output, full.images)
    assert (("{c}",), ("{d}",), "{f}") == (full.styles, full.expect, full.model)
    assert {"negative_prompt": "{e}"} == full.fields
    assert {"creativity": "{g}", "moodboards": ["{name}"]} == full.params


def test_table_blank_cell_of_the_output_takes_the_name_of_the_command_line(expand):
    expand.write(
        "rows.csv", "name,prompt,output\na,red cube,\nb,blue cube,out/bb.png\n"
    )

    items = expand("rows.csv", **OUTPUT)

    assert ["out/a.png", "out/bb.png"] == [item.output for item in items]


def test_table_blank_cell_of_the_output_without_a_name_is_an_error(expand):
    expand.write("rows.csv", "prompt,output\nred cube,\nblue cube,out/b.png\n")

    with pytest.raises(ManifestError) as caught:
        expand("rows.csv")

    assert "rows.csv, row 2: An output name is needed." == caught.value.message


def test_table_blank_cell_as_a_word_is_the_value_of_the_manifest(expand):
    expand.write("rows.csv", "name,prompt,seed\na,x,\nb,y,7\n")

    items = expand("rows.csv", output="out/{name}-{seed}.png", seed=5)

    assert ["out/a-5.png", "out/b-7.png"] == [item.output for item in items]


def test_table_blank_image_is_a_path_of_the_manifest_and_may_leave_the_folder(expand):
    expand.write("rows.csv", "name,image\na,\nb,../b.jpg\n")

    with pytest.raises(ManifestError, match=r"row 3: '../b.jpg' is outside"):
        expand("rows.csv", **OUTPUT, image="../a.jpg")
    expand.write("rows.csv", "name,image\na,\nb,b.jpg\n")
    items = expand("rows.csv", **OUTPUT, image="../a.jpg")

    assert [("../a.jpg",), ("b.jpg",)] == [item.images for item in items]


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("../../etc/passwd", "out/etc-passwd.png"),
        (".hidden", "out/hidden.png"),
        ("a/b\\c", "out/a-b-c.png"),
        ("x\x1b[31m\u202e", "out/x-[31m-.png"),
        ("Blue chair, no. 7", "out/Blue chair, no. 7.png"),
        ("Ünï 🦉", "out/Ünï 🦉.png"),
    ],
)
def test_table_text_is_safe_in_output_names(expand, cell, name):
    expand.write("rows.jsonl", json.dumps({"name": cell}))

    assert [name] == [item.output for item in expand("rows.jsonl", **OUTPUT)]


def test_table_output_column_stays_below_its_folder(expand):
    expand.write("rows.csv", "output,prompt\n../x//./a b.png,p\n/etc/y.png,p\n")

    items = expand("rows.csv")

    assert ["x/a b.png", "etc/y.png"] == [item.output for item in items]


WRONG = {
    "utf-16": ("name,prompt\na,b\n".encode("utf-16"), "is UTF-16", "CSV UTF-8"),
    "latin-1": ("name,prompt\na,b\nü,c\n".encode("latin-1"), "rows.csv, line 3"),
    "null": (b"name,prompt\na,\0\n", "rows.csv, line 2", "null character"),
    "empty": (b"", "The table is empty."),
    "only a header": (b"name,prompt\n", "The table has no rows"),
    "no header": (
        b"an owl,oil\na cat,ink\n",
        "{name} is unknown.",
        "these columns: 'an owl', 'oil'.",
    ),
    "nameless": (b"name,,prompt\na,b,c\n", "A column has no name."),
    "twice": (b"name,prompt,name\na,b,c\n", "The column 'name' appears twice."),
    "unknown column": (
        b"name,promt\na,b\n",
        "rows.csv, row 1: The column 'promt' is not used",
        "Did you mean 'prompt'?",
    ),
    "too many cells": (
        b"name,prompt\na,one, two\n",
        "rows.csv, row 2: The row has 3 cells; the header has 2 columns.",
        "double quotes",
    ),
    "too few cells": (b"name,prompt\na\n", "rows.csv, row 2: The row has 1 cell;"),
    "open quote": (b'name,prompt\na,"b\nc,d\n', "rows.csv, row 2", "unexpected end"),
    "quote within": (b'name,prompt\na,"b"c\n', "rows.csv, row 2", "cannot be read"),
    "two separators": (
        b"name;prompt,x\na;b,c\n",
        "row 1: Cannot tell whether cells are separated by commas or semicolons.",
        "sep=",
    ),
    "wrong number": (
        b"name,count\na,many\n",
        "rows.csv, row 2: count must be a whole number from 1",
    ),
    "wrong switch": (b"name,sidecar\na,2\n", "row 2: sidecar must be true or false"),
    "empty name": (b"name,prompt\n,b\n", "row 2: 'name' is empty"),
    "leaving": (
        b"name,image\na,../../.ssh/id\n",
        "rows.csv, row 2: '../../.ssh/id' is outside of the folder",
    ),
    "leaving by home": (b"name,image\na,~/x.jpg\n", "'~/x.jpg' is outside"),
    "leaving by a URI": (b"name,image\na,file:///etc/passwd\n", "is outside"),
    "leaving by a field": (b"name,params.m\na,@../x\n", "'../x' is outside"),
    "one output": (
        b"name,prompt\na,x\na,y\n",
        "row 3: Two items have the same output: out/a.png",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_table_wrong_is_reported_with_its_row(expand, case):
    data, *expected = WRONG[case]
    expand.write("rows.csv", data)

    error = expand.error("[[pictures]]\neach = 'rows.csv'\noutput = 'out/{name}.png'\n")

    assert not [words for words in expected if words not in error], error


def test_table_without_header_is_recognized(expand):
    expand.write("rows.csv", "an owl,oil\na cat,ink\n")

    error = expand.error(
        "[[pictures]]\neach = 'rows.csv'\noutput = 'out/{index}.png'\n"
    )

    assert "rows.csv, row 1: The table seems to have no header row." in error


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{'name': 1}", "rows.jsonl, line 2: The line is not JSON"),
        ("[1]", "rows.jsonl, line 2: The line is not a JSON object."),
        ('{"name": "a", "name": "b"}', "'name' appears twice"),
        ('{"name": "a", "seed": NaN}', "The line is not JSON"),
        ('{"name": "a", "seed": true}', "seed must be a whole number"),
        ('{"name": "a", "image": [1]}', "image must be text in quotes, or a list"),
    ],
)
def test_json_lines_wrong_are_reported_with_their_line(expand, line, expected):
    expand.write("rows.jsonl", f'{{"name": "ok"}}\n{line}\n')

    error = expand.error(
        "[[pictures]]\neach = 'rows.jsonl'\noutput = 'out/{name}.png'\n"
    )

    assert expected in error


def test_table_image_of_a_template_cannot_leave_the_folder(expand):
    expand.write("rows.csv", "sku\n../../x\n")

    error = expand.error(
        "[[pictures]]\neach = 'rows.csv'\nnegative_prompt = '{sku}'\n"
        "image = 'shots/{negative_prompt}.jpg'\noutput = '{sku}.png'\n"
    )

    assert "'shots/../../x.jpg' is outside" in error


def test_table_image_cannot_leave_the_folder_by_a_link(expand, tmp_path):
    (tmp_path / "secret").mkdir()
    (expand.folder / "link").symlink_to(tmp_path / "secret")
    expand.write("rows.csv", "name,image\na,link/x.jpg\n")

    error = expand.error("[[pictures]]\neach='rows.csv'\noutput='{name}.png'\n")

    assert "'link/x.jpg' is outside" in error


def test_table_cell_may_be_longer_than_python_allows_at_first(expand):
    before = csv.field_size_limit(131_072)
    prompt = "an owl " * 30_000
    expand.write("rows.csv", f"name,prompt\na,{prompt}\n")

    [item] = expand("rows.csv", **OUTPUT)

    assert prompt.strip() == item.prompt.strip()
    csv.field_size_limit(before)
