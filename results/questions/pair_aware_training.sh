#!/bin/sh
# Does a pair-aware training help under strong attacks? docs/pair_aware_training.md.
#
#     sh results/questions/pair_aware_training.sh choose|report digits|fashion_mnist|cifar10 DATA OUT
#
# Protocol, written before the last run. `choose` judges on training images that nothing is trained
# on, by the small suite, with few seeds and at several learning rates: each defense gets the rate
# at which it stands best, as do the strengths of TRADES and MART. margin_separation keeps its
# defaults: other margins and weights of the separation did no better over the rates.
# `report` judges once on test images, by AutoAttack standard, at equal cost: baselines,
# margin_separation, and its controls, each with one part taken out or put in: no separation, no
# margin, symmetry pairs from its own warm-up, as many random pairs, fair weights; the last with the
# warm-up (of 9, 10 and 12 epochs) and strength (of 0.5 and 1) that left the digits' worst class best.
# A lead is paired by sample over all seeds; asked is p < 0.01 against every baseline on every data
# set.
set -euf # lists of pairs are no patterns of file names
step=$1 data=$2 root=$3 out=$4
case $data in
digits)
    how="--model small_cnn --eps 0.2 --set recipe.epochs=15 --set recipe.batch_size=32 --set attack.steps=7"
    choose="--samples first:300 --seeds 4 --suite-samples 300 --steps 50" rates="0.05 0.1 0.2"
    report="--samples first:597 --seeds 3 --suite-samples 597 --steps 50" rate=0.1
    first=adversarial_training
    controls="alpha=0 margin=0 pairs=warm_up,warm_up_epochs=10 pairs=[[0,1],[2,5],[4,7]] fairness=0.5,warm_up_epochs=10"
    others="hypersphere_embedding:recipe.learning_rate=0.2 trades:beta=2,recipe.learning_rate=0.2 mart:beta=2"
    ;;
fashion_mnist)
    how="--model small_cnn --eps 0.1 --set recipe.epochs=8 --set recipe.batch_size=64 --set attack.steps=7 --train-samples 4000"
    choose="--samples first:500 --seeds 2 --suite-samples 300 --steps 20" rates="0.05 0.1"
    report="--samples first:500 --seeds 3 --suite-samples 500 --steps 50" rate=0.05
    first=adversarial_training:recipe.learning_rate=0.1
    controls=""
    others="hypersphere_embedding trades:beta=2,recipe.learning_rate=0.1 mart:beta=2"
    ;;
cifar10)
    how="--model resnet8 --eps 8/255 --set recipe.epochs=8 --set recipe.validation=200 --set attack.steps=1 --set attack.step_size=10/255 --train-samples 10000"
    choose="--samples first:500 --seeds 2 --suite-samples 300 --steps 20" rates="0.05 0.1"
    report="--samples first:500 --seeds 3 --suite-samples 500 --steps 50" rate=0.1
    first=adversarial_training
    controls="" others="" # the nearest rival alone: a training and its suite take ten minutes of a core
    ;;
esac
run() {
    # shellcheck disable=SC2086
    classward contest --data "$data" --data-root "$root" --precision fast $how --set recipe.schedule=one_cycle --resume "$@"
}
case $step in
choose)
    for rate in $rates; do
        # shellcheck disable=SC2086
        run $choose --split train --suite lite --out "$out/choose-$data-$rate" --set "recipe.learning_rate=$rate" \
            --defense adversarial_training --defense hypersphere_embedding --defense margin_separation \
            --defense trades:beta=2 --defense trades:beta=6 --defense mart:beta=2
    done
    ;;
report)
    named=""
    for other in $others; do named="$named --defense $other"; done
    own="--defense margin_separation"
    for parts in $controls; do own="$own --defense margin_separation:$parts"; done
    # shellcheck disable=SC2086
    run $report --suite standard --out "$out/report-$data" --set "recipe.learning_rate=$rate" --defense $first $named $own
    ;;
esac
