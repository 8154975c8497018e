"""The two papers' printed numbers: whole, unaltered, and what they say about each other."""

import hashlib
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

import classward

PAPERS = Path(classward.__file__).parent / "papers"
NAMES = sorted(f"{path.parent.name}/{path.stem}" for path in PAPERS.glob("*/*.toml"))
CARDS = {name: tomllib.loads((PAPERS / f"{name}.toml").read_text("utf-8")) for name in NAMES}
CLAIMS = tomllib.loads((PAPERS / "claims.toml").read_text("utf-8"))["claim"]
DIGEST = "2d59d2ebd6a2fc9e458c93ab304f0b66d419fade07be110fab3d86f3c0af131e"

SYMMETRY = (
    "fig1 fig2 table1 fig3 fig4 fig5 fig6 table2 table3 table4 table5 fig7 "
    "budgets splits widths defended epochs all_pairs surface"
)
LOGITS = "fig1 table1 table2 table3 fig2 fig3 fig4 layers minus_20 bhattacharyya networks"
EXPECTED = [f"symmetry/{n}" for n in SYMMETRY.split()] + [f"logits/{n}" for n in LOGITS.split()]

NETS = ["ResNet34", "WideResNet28x10"]
DEFENSES = ["PCL", "WP", "LS", "A.T.", "MMC", "HE", "TRADES", "MART", "Ours"]
ATTACKS = ["FGSM", "PGD50", "CW", "AA"]
LINF, L2 = ["PGD", "MIM"], ["DeepFool", "C&W"]


def printed(name):
    card = CARDS[name]
    return {
        row: dict(zip(card["columns"], v, strict=True)) for row, v in card["printed"].items()
    }


def on(net):
    rows = printed("symmetry/table2")
    return {row.split(", ")[1]: v for row, v in rows.items() if row.startswith(f"{net}, ")}


def leaders(rows, column):
    best = max(row[column] for row in rows.values())
    return [name for name, row in rows.items() if row[column] == best]


def points(a, b):
    return round(a - b, 2)


# --- every file


def test_every_file_is_there():
    assert sorted(EXPECTED) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_card_is_whole(name):
    card = CARDS[name]
    assert card["paper"] == name.split("/")[0]
    for key in ("label", "title", "section", "setting"):
        assert card[key].strip() == card[key] != ""
    assert card["unit"] in {"percent", "share", "coefficient", "text"}
    kind = {"fig": "Figure ", "tab": "Table "}.get(name.split("/")[1][:3])
    if kind:
        assert card["label"] == kind + name[-1]
    else:
        assert card["label"].startswith("Text, ")


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_as_long_as_the_columns(name):
    card = CARDS[name]
    assert len(set(card["columns"])) == len(card["columns"])
    for row in card["printed"].values():
        assert len(row) == len(card["columns"]) > 0


@pytest.mark.parametrize("name", NAMES)
def test_entries_are_of_the_unit(name):
    low, high = {"percent": (0, 100), "coefficient": (0, 2), "share": (0, 1), "text": (0, 999)}[
        CARDS[name]["unit"]
    ]
    for row in CARDS[name]["printed"].values():
        numbers = [v for v in row if not isinstance(v, str)]
        assert all(low <= v <= high for v in numbers)
        if CARDS[name]["unit"] != "text":
            assert all(v == "" for v in row if isinstance(v, str))


@pytest.mark.parametrize("name", NAMES)
def test_the_header_names_the_command(name):
    first = (PAPERS / f"{name}.toml").read_text("utf-8").splitlines()[0]
    assert first.startswith("# ") and f"`classward reproduce {name}`" in first


def test_nothing_printed_was_altered():
    tables = {name: CARDS[name]["printed"] for name in NAMES}
    canonical = json.dumps(tables, sort_keys=True)
    assert hashlib.sha256(canonical.encode()).hexdigest() == DIGEST


# --- symmetry


def test_table_1_counts_pairs_of_ten_classes():
    # 45 unordered pairs. All entries are rounded but one, which is cut off: 25/45 = 55.55...
    cut = []
    for row, entries in printed("symmetry/table1").items():
        for column, value in entries.items():
            shares = [100 * n / 45 for n in range(46)]
            rounded = any(round(s, 1) == value for s in shares)
            truncated = any(int(10 * s + 1e-9) / 10 == value for s in shares)
            assert rounded or truncated
            if not rounded:
                cut.append((row, column))
    assert cut == [("VGG-16, FGSM", "0.05")]


def test_table_1_as_counts():
    counts = {
        row: [round(v * 45 / 100) for v in entries.values()]
        for row, entries in printed("symmetry/table1").items()
    }
    assert counts == {
        "VGG-16, FGSM": [25, 39, 43],
        "VGG-16, PGD": [32, 38, 44],
        "ResNet-34, FGSM": [32, 38, 43],
        "ResNet-34, PGD": [32, 41, 45],
    }
    assert all(c == sorted(c) for c in counts.values())


def test_table_1_is_not_alike_everywhere():
    # "Nothing to do with attack and network": three of four agree at 0.05, one is 7 pairs off.
    at = [row["0.05"] for row in printed("symmetry/table1").values()]
    assert at == [55.5, 71.1, 71.1, 71.1]


def test_figure_2_counts_test_images():
    rows = printed("symmetry/fig2")
    digit, airplane = (row["attack proportion"] for row in rows.values())
    assert round(100 * 452 / 1010, 2) == digit  # MNIST has 1,010 test images of digit 3
    assert round(100 * 321 / 1000, 2) == airplane  # CIFAR-10 has 1,000 of every class


@pytest.mark.parametrize("net", NETS)
def test_table_2_ours_leads_under_every_attack(net):
    rows = on(net)
    assert list(rows) == ["Standard", *DEFENSES]
    for attack in ATTACKS:
        assert leaders(rows, attack) == ["Ours"]


def test_table_2_leads():
    def lead(rows, attack):
        rest = max(row[attack] for name, row in rows.items() if name != "Ours")
        return points(rows["Ours"][attack], rest)

    assert [lead(on("ResNet34"), a) for a in ATTACKS] == [2.19, 1.43, 1.35, 0.73]
    assert [lead(on("WideResNet28x10"), a) for a in ATTACKS] == [1.22, 2.22, 1.79, 1.31]


def test_table_2_ours_does_not_lead_on_clean_images():
    above = {
        net: [m for m, row in on(net).items() if row["Clean"] > on(net)["Ours"]["Clean"]]
        for net in NETS
    }
    assert above == {"ResNet34": ["Standard", "WP"], "WideResNet28x10": ["Standard"]}
    losses = [points(on(n)["Standard"]["Clean"], on(n)["Ours"]["Clean"]) for n in NETS]
    assert losses == [8.96, 6.97]


def test_table_2_order_of_the_attacks_breaks_at_cw():
    broken = {}
    for net in NETS:
        for method, row in on(net).items():
            assert row["FGSM"] > row["PGD50"] >= row["AA"] and row["CW"] > row["AA"]
            if row["CW"] > row["PGD50"]:
                broken.setdefault(net, []).append(method)
    assert broken == {"ResNet34": ["LS", "MART", "Ours"], "WideResNet28x10": ["Standard"]}


def test_table_2_autoattack_leaves_standard_training_nothing():
    assert [on(net)["Standard"]["AA"] for net in NETS] == [0.0, 0.0]


def test_table_2_the_wide_network_is_better_but_for_one_entry():
    small, wide = map(on, NETS)
    worse = [
        (method, column)
        for method in DEFENSES
        for column in ["Clean", *ATTACKS]
        if wide[method][column] <= small[method][column]
    ]
    assert worse == [("MMC", "Clean")]


@pytest.mark.parametrize("net", NETS)
def test_table_2_two_margin_defenses_are_below_plain_adversarial_training(net):
    rows = on(net)
    below = [m for m in DEFENSES if rows[m]["AA"] < rows["A.T."]["AA"]]
    assert below == ["PCL", "LS"]


def test_table_3_ours_leads_everywhere():
    rows = printed("symmetry/table3")
    assert all(leaders(rows, column) == ["Ours"] for column in rows["Ours"])


def test_table_3_more_steps_never_leave_more():
    for row in printed("symmetry/table3").values():
        values = list(row.values())
        assert values == sorted(values, reverse=True)


def test_table_3_four_defenses_cost_no_clean_accuracy():
    # Unlike on CIFAR-10, where every defense costs 6 points or more.
    rows = printed("symmetry/table3")
    above = [m for m, row in rows.items() if row["Clean"] > rows["Standard"]["Clean"]]
    assert above == ["PCL", "WP", "LS", "Ours"]
    for net in NETS:
        clean = {m: row["Clean"] for m, row in on(net).items()}
        assert clean.pop("Standard") - max(clean.values()) > 6


def test_table_4_one_order_in_every_column():
    rows = printed("symmetry/table4")
    for column in rows["Ours"]:
        values = [rows[m][column] for m in ("WP", "LS", "A.T.", "Ours")]
        assert values == sorted(values)


def test_table_4_black_box_attacks_beat_white_box_ones():
    # The same network: WP and LS keep less under 2,000 queries than under PGD50 or AutoAttack.
    white, black = on("ResNet34"), printed("symmetry/table4")

    def below(column):
        return {
            method: [a for a, v in row.items() if v < white[method][column]]
            for method, row in black.items()
        }

    every = ["NES", "Nattack", "SimBA", "Subspace"]
    assert below("PGD50") == {
        "WP": every,
        "LS": ["NES", "Nattack", "Subspace"],
        "A.T.": [],
        "Ours": [],
    }
    assert below("AA") == {"WP": every, "LS": ["Nattack", "Subspace"], "A.T.": [], "Ours": []}


@pytest.mark.parametrize("data", ["CIFAR100", "TinyImageNet"])
@pytest.mark.parametrize("attack", ["FGSM", "PGD20"])
def test_table_5_one_order_in_every_column(data, attack):
    rows = printed("symmetry/table5")
    values = [rows[f"{data}, {m}"][attack] for m in ("TRADES", "MART", "Ours")]
    assert values == sorted(values)


def test_table_5_leads_under_pgd_are_below_one_point():
    rows = printed("symmetry/table5")
    leads = {
        (data, attack): points(rows[f"{data}, Ours"][attack], rows[f"{data}, MART"][attack])
        for data in ("CIFAR100", "TinyImageNet")
        for attack in ("FGSM", "PGD20")
    }
    assert list(leads.values()) == [1.92, 0.83, 1.87, 0.56]


@pytest.mark.parametrize("row", range(6))
def test_table_5_pgd_leaves_less_than_fgsm(row):
    entries = list(printed("symmetry/table5").values())[row]
    assert entries["PGD20"] < entries["FGSM"]


# --- logits


def test_the_network_accuracies_of_the_text():
    clean = [row["clean, full"] for row in printed("logits/table1").values()]
    assert clean == [73.48, 76.13, 74.47]


def test_pgd_leaves_nearly_nothing():
    rows = printed("logits/table1").values()
    assert [row["PGD, full"] for row in rows] == [0.04, 0.0, 0.01]
    assert all(row["PGD, selected"] == 0 for row in rows)


def test_table_1_drops_of_the_text():
    rows = printed("logits/table1")
    drop = {n: points(r["clean, full"], r["PGD corrected, full"]) for n, r in rows.items()}
    assert drop == {"VGG-16": 6.01, "ResNet-50": 3.74, "DenseNet-121": -13.82}


def test_table_1_clean_drops_are_slight():
    rows = printed("logits/table1").values()
    full = [points(r["clean, full"], r["clean corrected, full"]) for r in rows]
    selected = [points(r["clean, selected"], r["clean corrected, selected"]) for r in rows]
    assert full == [4.05, 2.28, 2.27]
    assert selected == [3.9, 3.5, 4.7]


def test_table_1_selected_drops_are_far_greater_than_full_ones():
    rows = printed("logits/table1").values()
    assert [points(r["clean, selected"], r["PGD corrected, selected"]) for r in rows] == [
        22.9,
        24.6,
        9.5,
    ]


def test_table_1_corrector_also_corrects_images_that_were_wrong_when_clean():
    # Were the selected images drawn at random from ResNet-50's right ones, then nearly 63 %
    # of its wrong ones would come back right after the attack, but under 2 % of them clean.
    row = printed("logits/table1")["ResNet-50"]
    right = row["clean, full"] / 100

    def of_the_wrong(full, selected):
        return (row[full] - right * row[selected]) / (1 - right)

    assert round(of_the_wrong("PGD corrected, full", "PGD corrected, selected"), 1) == 62.8
    assert round(of_the_wrong("clean corrected, full", "clean corrected, selected"), 1) == 1.6


def test_table_1_selected_images_are_no_random_draw():
    # Chosen as right for ResNet-50 alone: DenseNet-121 cannot be right on more than
    # 74.47 / 76.13 of such images, yet 100.0 is printed.
    rows = printed("logits/table1")
    bound = {
        n: 100 * r["clean, full"] / rows["ResNet-50"]["clean, full"] for n, r in rows.items()
    }
    over = [n for n, r in rows.items() if r["clean, selected"] > bound[n]]
    assert over == ["DenseNet-121"]
    assert rows["DenseNet-121"]["clean, selected"] == 100
    assert round(bound["DenseNet-121"], 1) == 97.8


def test_table_2_first_row_is_table_1_selected():
    row = printed("logits/table1")["ResNet-50"]
    selected = [v for column, v in row.items() if column.endswith("selected")]
    assert selected == list(printed("logits/table2")["PGD"].values())


def test_table_2_last_column_is_table_3_diagonal():
    # The text calls Table 2 "Table 3" where it says so.
    table3 = printed("logits/table3")
    assert list(table3) == CARDS["logits/table3"]["columns"] == LINF + L2
    last = {
        attack: row["adversarial corrected"] for attack, row in printed("logits/table2").items()
    }
    assert last == {attack: table3[attack][attack] for attack in table3}


def test_table_2_numbers_of_the_text():
    rows = printed("logits/table2")
    assert rows["PGD"]["clean corrected"] == 96.5
    restored = {attack: row["adversarial corrected"] for attack, row in rows.items()}
    assert restored["PGD"] == 75.4 and restored["MIM"] == 87.8 and restored["DeepFool"] == 76.1
    assert min(restored, key=restored.get) == "C&W" and restored["C&W"] < 70


def test_table_2_cw_alone_costs_much_clean_accuracy():
    loss = {
        attack: points(row["clean"], row["clean corrected"])
        for attack, row in printed("logits/table2").items()
    }
    assert loss == {"PGD": 3.5, "MIM": 3.7, "DeepFool": 3.0, "C&W": 17.2}


def test_table_2_the_easy_attack_is_mim_not_deepfool():
    rows = printed("logits/table2")
    order = sorted(rows, key=lambda attack: -rows[attack]["adversarial corrected"])
    assert order == ["MIM", "DeepFool", "PGD", "C&W"]


def test_table_3_numbers_of_the_text():
    rows = printed("logits/table3")
    assert rows["DeepFool"]["PGD"] == 54.5 and rows["C&W"]["PGD"] == 10.3
    assert rows["DeepFool"]["C&W"] == 73.5 and rows["C&W"]["DeepFool"] == 19.2
    assert all(rows["DeepFool"][defender] > 50 for defender in LINF)
    assert all(rows[attack]["DeepFool"] <= 0.1 for attack in LINF)


def test_table_3_each_attack_is_best_met_by_its_own_corrector():
    for attack, row in printed("logits/table3").items():
        assert max(row, key=row.get) == attack


def test_table_3_two_correctors_do_better_on_another_attack_than_on_their_own():
    rows = printed("logits/table3")
    best = {d: max(rows, key=lambda attack: rows[attack][d]) for d in LINF + L2}
    assert best == {"PGD": "MIM", "MIM": "MIM", "DeepFool": "DeepFool", "C&W": "DeepFool"}


def test_table_3_every_corrector_carries_over_best_within_its_norm_but_one():
    rows = printed("logits/table3")
    best = {
        d: max((a for a in rows if a != d), key=lambda attack: rows[attack][d])
        for d in LINF + L2
    }
    assert best == {"PGD": "MIM", "MIM": "PGD", "DeepFool": "C&W", "C&W": "DeepFool"}
    # Seen from the attack it holds too: the best foreign corrector is of the same norm.
    for attack, row in rows.items():
        rest = {d: v for d, v in row.items() if d != attack}
        assert max(rest, key=rest.get) == best[attack]


def test_table_3_deepfool_is_what_any_corrector_restores():
    rows = printed("logits/table3")
    least = {attack: min(row.values()) for attack, row in rows.items()}
    assert least == {"PGD": 0.0, "MIM": 0.1, "DeepFool": 52.7, "C&W": 9.1}


def test_bhattacharyya_order():
    rows = printed("logits/bhattacharyya")
    value = {pair: row["coefficient"] for pair, row in rows.items() if row["coefficient"] != ""}
    assert sorted(value, key=value.get, reverse=True) == [
        "PGD and MIM",
        "DeepFool and C&W",
        "PGD and DeepFool",
        "PGD and C&W",
    ]
    assert list(value.values()) == [0.9662, 0.9222, 0.9004, 0.8623]


def test_bhattacharyya_agrees_with_transfer_on_average_but_not_in_each_direction():
    rows, table3 = printed("logits/bhattacharyya"), printed("logits/table3")
    pairs = [p.split(" and ") for p, row in rows.items() if row["coefficient"] != ""]
    mean = [(table3[a][b] + table3[b][a]) / 2 for a, b in pairs]
    assert np.allclose(mean, [78.0, 46.35, 27.25, 7.35])
    assert mean == sorted(mean, reverse=True)
    # 0.9222 yields 19.2 one way, 0.9004 yields 54.5 one way and nothing the other.
    assert [table3[b][a] for a, b in pairs] == [85.7, 19.2, 54.5, 10.3]
    assert [table3[a][b] for a, b in pairs] == [70.3, 73.5, 0.0, 4.4]


def test_layers_agree_with_table_2():
    rows = printed("logits/layers")
    pgd = printed("logits/table2")["PGD"]["adversarial corrected"]
    assert rows["two layers"]["recovery rate"] == pgd
    assert points(pgd, rows["one layer"]["recovery rate"]) == 33.5


def test_classes_named_by_the_text():
    up, down = CARDS["logits/fig2"]["printed"].values()
    assert len(set(up)) == 6 and 640 not in up
    assert set(down) == {640, ""}
    assert [list(r.values()) for r in printed("logits/networks").values()] == [[640] * 3]
    named = {row["strongest class named"] for row in printed("logits/fig3").values()}
    assert named == {640, ""}


# --- claims


def test_claims_are_numbered_in_order():
    for paper, least in (("symmetry", 40), ("logits", 40)):
        ids = [claim["id"] for claim in CLAIMS if claim["id"].startswith(paper)]
        assert ids == [f"{paper}-{n}" for n in range(1, len(ids) + 1)]
        assert len(ids) >= least


def test_claims_name_files_that_exist_and_leave_none_out():
    named = {table for claim in CLAIMS for table in claim["tables"]}
    assert named == set(NAMES)


def test_claims_are_whole_and_told_once():
    for claim in CLAIMS:
        assert set(claim) >= {"id", "section", "says", "tables"}
        assert claim["says"].endswith(".") and (claim.get("test") or claim.get("lacks"))
    assert len({claim["says"] for claim in CLAIMS}) == len(CLAIMS)
