#!/bin/sh
# Does a pair-aware training help under strong attacks? docs/pair_aware_training.md.
#
#     sh results/questions/pair_aware_training.sh choose|report digits|fashion_mnist|cifar10 DATA OUT
#
# Protocol, written before the last run. `choose` judges on training images that nothing is trained
# on, by the small suite, with few seeds: the baselines' strengths, and margin_separation's margin
# and alpha, one value each for all three data sets (the best mean of the three leads over
# adversarial training). `report` judges once on test images, by AutoAttack standard, at equal
# cost: baselines, margin_separation, and its controls, each with one part taken out: no margin,
# no separation, symmetry pairs from its own warm-up, as many random pairs. A lead is paired by
# sample over all seeds; asked is p < 0.01 against every baseline on every data set.
set -eu
step=$1 data=$2 root=$3 out=$4
one_cycle="--set recipe.schedule=one_cycle --set recipe.learning_rate=0.05"
case $data in
digits)
    how="--model small_cnn --eps 0.2 --set recipe.epochs=15 --set recipe.batch_size=32 --set attack.steps=7"
    choose="--samples first:300 --seeds 4 --suite-samples 300"
    report="--samples first:597 --seeds 5 --suite-samples 597"
    ;;
fashion_mnist)
    how="--model small_cnn --eps 0.1 --set recipe.epochs=8 --set recipe.batch_size=64 --set attack.steps=7 --train-samples 4000"
    choose="--samples first:1000 --seeds 2 --suite-samples 300"
    report="--samples first:1000 --seeds 3 --suite-samples 1000"
    ;;
cifar10)
    how="--model resnet8 --eps 8/255 --set recipe.epochs=8 --set recipe.validation=200 --set attack.steps=1 --set attack.step_size=10/255 --train-samples 10000"
    choose="--samples first:1000 --seeds 2 --suite-samples 300"
    report="--samples first:1000 --seeds 3 --suite-samples 1000"
    ;;
esac
run() {
    # shellcheck disable=SC2086
    classward contest --data "$data" --data-root "$root" --steps 50 --precision fast $how $one_cycle "$@"
}
case $step in
choose)
    # shellcheck disable=SC2086
    run $choose --split train --suite lite --out "$out/choose-$data" --resume \
        --defense adversarial_training --defense hypersphere_embedding \
        --defense trades:beta=2 --defense trades:beta=6 --defense mart:beta=2 --defense mart:beta=5 \
        --defense margin_separation:margin=2 --defense margin_separation:margin=4 --defense margin_separation:margin=8 \
        --defense margin_separation:margin=4,alpha=0.5
    ;;
report)
    # shellcheck disable=SC2086
    run $report --suite standard --out "$out/report-$data" --resume \
        --defense adversarial_training --defense hypersphere_embedding --defense trades:beta=2 --defense mart:beta=2 \
        --defense margin_separation --defense margin_separation:alpha=0 --defense margin_separation:margin=0 \
        --defense margin_separation:pairs=warm_up,warm_up_epochs=3 \
        --defense "margin_separation:pairs=[[0, 1], [2, 5], [4, 7]]"
    ;;
esac
