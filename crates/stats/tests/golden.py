#!/usr/bin/env python3
"""Writes the golden files in tests/data from scikit-learn, SciPy, NumPy and statsmodels.

    python3 -m venv venv
    venv/bin/pip install scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 statsmodels==0.15.0
    venv/bin/python crates/stats/tests/golden.py

The bootstrap is written a second time here, from its description alone (ChaCha8 by the book,
Lemire's draw, roc_auc_score on the resampled rows), so that its golden intervals are not just what
the Rust code once printed. So is DeLong's test, which none of these libraries has: by the paper's
kernel over all pairs, and not by ranks.
"""

import json
from itertools import permutations
from pathlib import Path

import numpy as np
from scipy.special import kolmogorov, rel_entr
from scipy.stats import binomtest, chi2, ks_2samp, norm, ttest_rel, wilcoxon
from sklearn import metrics
from sklearn.calibration import calibration_curve
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import normal_sample_size_one_tail

DATA = Path(__file__).parent / "data"


def write(name, value):
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    (DATA / name).write_text(text.replace('},{"', '},\n{"') + "\n")


# many classes

AVERAGES = ["macro", "micro", "weighted"]
MEASURES = {"precision": metrics.precision_score, "recall": metrics.recall_score, "f1": metrics.f1_score}


def averages(truth, predicted):
    return {
        f"{average}_{name}": float(measure(truth, predicted, average=average, zero_division=0))
        for average in AVERAGES
        for name, measure in MEASURES.items()
    }


def aucs(classes, truth, scores):
    """Nothing where a class is absent."""
    kinds = {"auc_ovr": ("ovr", "macro"), "auc_ovr_weighted": ("ovr", "weighted"),
             "auc_ovo": ("ovo", "macro"), "auc_ovo_weighted": ("ovo", "weighted")}
    if len(set(truth.tolist())) < classes:
        return {name: None for name in kinds}
    if classes == 2:
        return {name: float(metrics.roc_auc_score(truth, scores[:, 1])) for name in kinds}
    value = lambda kind, average: metrics.roc_auc_score(truth, scores, multi_class=kind, average=average)
    return {name: float(value(*kind)) for name, kind in kinds.items()}


def calibration(was_so, probabilities):
    was, said = calibration_curve(was_so, probabilities, n_bins=10, strategy="uniform")
    places = np.searchsorted(np.linspace(0, 1, 11)[1:-1], probabilities)
    rows = np.bincount(places, minlength=10)
    rows = rows[rows > 0]
    error = float(np.sum(rows * np.abs(was - said)) / len(probabilities))
    return {"error": error, "rows": rows.tolist(), "said": said.tolist(), "was": was.tolist()}


def classes_case(name, classes, truth, probabilities, predicted):
    every = list(range(classes))
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    brier = metrics.brier_score_loss(truth, probabilities, labels=every, scale_by_half=False)
    top = lambda k: metrics.top_k_accuracy_score(truth, probabilities, k=k, labels=every)
    of_decided = probabilities[np.arange(len(truth)), predicted]
    return {
        "name": name,
        "classes": classes,
        "truth": [int(x) for x in truth],
        "predicted": [int(x) for x in predicted],
        "probabilities": [[float(x) for x in row] for row in probabilities],
        "accuracy": float(metrics.accuracy_score(truth, predicted)),
        "averages": averages(truth, predicted),
        "aucs": aucs(classes, truth, probabilities),
        "top": {f"top@{k}": float(top(k)) for k in range(1, classes) if classes > 2},
        "calibration": calibration(truth == predicted, of_decided),
        "log_loss": float(metrics.log_loss(truth, probabilities, labels=every)),
        "brier": float(brier),
    }


def classes_cases():
    random = np.random.default_rng(20261130)
    for classes, rows in [(2, 9), (3, 15), (3, 200), (5, 60), (8, 12)]:
        truth = random.integers(0, classes, rows)
        probabilities = random.dirichlet(np.ones(classes), rows)
        # the label need not be the likeliest class
        predicted = np.where(random.random(rows) < 0.8, probabilities.argmax(axis=1), truth)
        yield classes_case(f"{rows} rows of {classes} classes", classes, truth, probabilities, predicted)
    third = [0, 1, 2] * 5
    swapped = np.eye(3)[[0, 2, 1] * 5]
    yield classes_case("two of three are taken for each other", 3, third, swapped, swapped.argmax(axis=1))
    yield classes_case("one class occurs", 4, [2, 2, 2], np.full((3, 4), 0.25), [2, 0, 2])
    tied = np.repeat([[0.5, 0.25, 0.25, 0.0], [0.25, 0.25, 0.25, 0.25], [0.1, 0.2, 0.3, 0.4]], 4, axis=0)
    yield classes_case("ties and edges of bins", 4, [0, 1, 2, 3] * 3, tied, tied.argmax(axis=1))


# labels, of which a row may have several


def labels_case(name, truth, predicted, scores):
    truth, predicted, scores = np.asarray(truth), np.asarray(predicted), np.asarray(scores, float)
    # a label of all rows or of none has no AUC
    both = all(len(set(column)) == 2 for column in truth.T.tolist())
    auc = lambda average: float(metrics.roc_auc_score(truth, scores, average=average)) if both else None
    found = averages(truth, predicted)
    # scikit-learn's zeros that are shares of nothing
    if predicted.sum() == 0:
        found["micro_precision"] = None
    if truth.sum() == 0:
        found |= {"micro_recall": None} | {f"weighted_{measure}": None for measure in MEASURES}
    if truth.sum() + predicted.sum() == 0:
        found["micro_f1"] = None
    return {
        "name": name,
        "labels": truth.shape[1],
        "truth": truth.ravel().tolist(),
        "predicted": predicted.ravel().tolist(),
        "scores": scores.ravel().tolist(),
        "accuracy": float(metrics.accuracy_score(truth, predicted)),
        "averages": found,
        "aucs": {"auc_ovr": auc("macro"), "auc_ovr_weighted": auc("weighted")},
    }


def labels_cases():
    random = np.random.default_rng(20261201)
    for labels, rows, share in [(2, 12, 0.5), (3, 40, 0.3), (5, 120, 0.2)]:
        truth = (random.random((rows, labels)) < share).astype(int)
        scores = np.round(0.3 * truth + 0.7 * random.random((rows, labels)), 2)
        yield labels_case(f"{rows} rows of {labels} labels", truth, (scores > 0.5).astype(int), scores)
    none, some = [[0, 0], [0, 0], [0, 0]], [[1, 0], [0, 1], [1, 1]]
    scores = [[0.1, 0.2], [0.3, 0.1], [0.4, 0.9]]
    yield labels_case("nothing is predicted", some, none, scores)
    yield labels_case("nothing is true", none, some, scores)
    yield labels_case("nothing at all", none, none, scores)
    yield labels_case("a label of no row", [[1, 0], [0, 0], [1, 0]], [[1, 0], [0, 1], [0, 0]], scores)


# rankings by query


def by_every_order(relevance, scores, value):
    """The mean over all orders of rows with equal scores."""
    orders = [order for order in permutations(range(len(scores)))
              if all(scores[a] >= scores[b] for a, b in zip(order, order[1:]))]
    return float(np.mean([value([relevance[row] for row in order]) for order in orders]))


def query_case(relevance, scores):
    relevance, scores = [float(x) for x in relevance], [float(x) for x in scores]
    case = {"relevance": relevance, "scores": scores, "values": None}
    found = [x > 0 for x in relevance]
    if not any(found):
        return case
    recall = lambda k: lambda ordered: sum(x > 0 for x in ordered[:k]) / sum(found)
    reciprocal = lambda ordered: 1 / (1 + next(place for place, x in enumerate(ordered) if x > 0))
    if len(relevance) > 1:
        ndcg = lambda k: float(metrics.ndcg_score([relevance], [scores], k=k))
    else:
        ndcg = lambda k: 1.0
    values = {f"ndcg@{k}": ndcg(k) for k in (1, 3, 10)}
    values |= {"map": float(metrics.average_precision_score(found, scores))}
    if len(relevance) <= 7:
        values |= {f"recall@{k}": by_every_order(relevance, scores, recall(k)) for k in (1, 3)}
        values |= {"mrr": by_every_order(relevance, scores, reciprocal)}
    else:
        assert len(set(scores)) == len(scores)
        ordered = [relevance[row] for row in np.argsort(scores)[::-1]]
        values |= {f"recall@{k}": float(recall(k)(ordered)) for k in (1, 3)} | {"mrr": float(reciprocal(ordered))}
    return case | {"values": values}


def queries():
    random = np.random.default_rng(20261202)
    cases = [
        query_case([1], [0.3]),
        query_case([0, 0, 0], [0.1, 0.2, 0.3]),
        query_case([0, 1, 2, 0], [0.5, 0.5, 0.5, 0.5]),
        query_case([3, 2, 0, 1], [4, 3, 2, 1]),
        query_case([0, 0, 0, 1], [4, 3, 2, 1]),
        query_case([0, 1, 0, 1, 0, 2], [1, 1, 0.5, 0.5, 0.5, 0]),
        query_case([0.5, 0, 2.25], [-1, -1, -3]),
    ]
    for rows in (5, 6, 7):
        cases.append(query_case(random.integers(0, 3, rows), random.integers(0, 3, rows)))
    for rows in (12, 30):
        cases.append(query_case(random.integers(0, 5, rows), random.normal(size=rows)))
    return cases


# two classes


def binary_case(name, labels, scores, threshold=0.5):
    labels = np.asarray(labels, dtype=bool)
    scores = np.asarray(scores, dtype=float)
    predicted = scores > threshold
    both = [False, True]
    tn, fp, fn, tp = metrics.confusion_matrix(labels, predicted, labels=both).ravel()
    auc = metrics.roc_auc_score(labels, scores) if len(set(labels)) == 2 else None
    return {
        "name": name,
        "threshold": threshold,
        "labels": [int(label) for label in labels],
        "scores": scores.tolist(),
        "positives": int(labels.sum()),
        "accuracy": metrics.accuracy_score(labels, predicted),
        "auc": None if auc is None else float(auc),
        "log_loss": metrics.log_loss(labels, scores, labels=both),
        "brier": metrics.brier_score_loss(labels, scores, pos_label=True),
        "confusion": [int(tn), int(fp), int(fn), int(tp)],
        "one_class": one_class(labels, scores, auc),
        "calibration": calibration(labels, scores),
    }


def one_class(labels, scores, auc):
    values = {"gini": None, "ks": None}
    if auc is not None:
        fpr, tpr, _ = metrics.roc_curve(labels, scores, drop_intermediate=False)
        values = {"gini": float(2 * auc - 1), "ks": float(np.max(tpr - fpr))}
    for share in (0.1, 0.25):
        values[f"lift@{share}"] = lift(labels, scores, share) if labels.any() else None
    return values


def lift(labels, scores, share):
    """How often the class occurs at the top beside how often in all; ties at the end count for their share."""
    top = max(1, int(np.ceil(share * len(labels) - 1e-9)))
    last = np.sort(scores)[::-1][top - 1]
    above, tied = scores > last, scores == last
    found = labels[above].sum() + labels[tied].sum() * (top - above.sum()) / tied.sum()
    return float((found / top) / labels.mean())


def logistic(rng, rows, share, separation):
    labels = rng.random(rows) < share
    noise = rng.normal(size=rows)
    return labels, 1 / (1 + np.exp(-(noise + separation * (labels - 0.5))))


def binary():
    rng = np.random.default_rng(20240501)
    half = rng.random(200) < 0.5
    few = rng.permutation([True] * 3 + [False] * 497)
    return [
        binary_case("random", half, rng.random(200)),
        binary_case("separated", *logistic(rng, 300, 0.3, 1.5)),
        binary_case("other threshold", *logistic(rng, 120, 0.3, 1.5), threshold=0.2),
        binary_case("ties", rng.random(250) < 0.4, rng.integers(0, 6, 250) / 5),
        binary_case("ties at the threshold", [0, 1, 1, 0, 1], [0.5, 0.5, 0.7, 0.2, 0.5]),
        binary_case("all scores equal", [0, 1, 1, 0, 1], [0.3] * 5),
        binary_case("imbalanced", few, np.clip(0.1 + 0.3 * few + 0.2 * rng.normal(size=500), 0, 1)),
        binary_case("perfect", [0, 0, 1, 1, 1], [0.0, 0.1, 0.9, 0.95, 1.0]),
        binary_case("perfectly wrong", [0, 0, 1, 1, 1], [1.0, 0.9, 0.1, 0.05, 0.0]),
        binary_case("only positives", [1] * 7, rng.random(7)),
        binary_case("only negatives", [0] * 7, rng.random(7)),
        binary_case("one row", [1], [0.75]),
        binary_case("near the clip", [0, 1, 0, 1], [1e-16, 1e-17, 1 - 1e-16, 1 - 2**-53]),
        binary_case("neighbouring numbers", [1, 0, 1, 0], [0.5, np.nextafter(0.5, 0), 0.1, 0.1]),
        binary_case("many", *logistic(rng, 2000, 0.05, 2.0)),
    ]


# numbers


def regression_case(name, targets, predictions):
    targets, predictions = np.asarray(targets, float), np.asarray(predictions, float)
    varies = len(set(targets.tolist())) > 1
    return {
        "name": name,
        "targets": targets.tolist(),
        "predictions": predictions.tolist(),
        "rmse": float(metrics.root_mean_squared_error(targets, predictions)),
        "mae": float(metrics.mean_absolute_error(targets, predictions)),
        "r2": float(metrics.r2_score(targets, predictions)) if varies else None,
        "mape": float(metrics.mean_absolute_percentage_error(targets, predictions)) if targets.all() else None,
        "pinball": {
            f"pinball@{alpha}": float(metrics.mean_pinball_loss(targets, predictions, alpha=alpha))
            for alpha in (0.1, 0.5, 0.95)
        },
    }


def regression():
    rng = np.random.default_rng(7)
    amounts = rng.lognormal(7.8, 0.8, 300)
    far = 1e9 + rng.normal(size=100)
    return [
        regression_case("amounts", amounts, amounts * rng.lognormal(0, 0.3, 300)),
        regression_case("worse than the mean", amounts, rng.permutation(amounts)),
        regression_case("perfect", [1.5, -2.0, 4.0], [1.5, -2.0, 4.0]),
        regression_case("far from zero", far, far + 0.5 * rng.normal(size=100)),
        regression_case("target never varies", [0.1] * 3, [0.1, 0.2, 0.3]),
        regression_case("one row", [2.0], [3.5]),
        regression_case("a target is zero", [0.0, 2.0, -1.0], [0.5, 2.5, -3.0]),
        regression_case("a target is as good as zero", [1e-17, 2.0, -1e-300, 3e-16], [3e-17, 2.5, 1e-17, 4e-16]),
    ]


# proportions and quantiles


def proportion(successes, trials, confidence):
    test = binomtest(successes, trials)
    interval = test.proportion_ci(confidence_level=confidence, method="wilson")
    return {
        "successes": successes,
        "trials": trials,
        "confidence": confidence,
        "low": float(interval.low),
        "high": float(interval.high),
    }


def proportions():
    counts = [(990, 1000), (0, 10), (10, 10), (1, 1), (0, 1), (5, 10), (1, 3), (123456, 1000000)]
    return [proportion(*count, c) for count in counts for c in (0.5, 0.8, 0.95, 0.99, 0.999)]


def quantile_case(values, quantile):
    value = float(np.quantile(values, quantile))
    return {"values": list(values), "quantile": quantile, "value": value}


def quantiles():
    rng = np.random.default_rng(3)
    lists = [[4.0], [2.0, 1.0], [3.0, 3.0, -1.0], rng.normal(size=40).tolist()]
    shares = [0.0, 0.025, 0.1, 0.25, 0.5, 1 / 3, 0.75, 0.9, 0.975, 0.99, 1.0]
    return [quantile_case(values, share) for values in lists for share in shares]


# the bootstrap, from its description

MASK = 0xFFFFFFFF


def rotate(value, bits):
    return ((value << bits) | (value >> (32 - bits))) & MASK


def quarter_round(x, a, b, c, d):
    x[a] = (x[a] + x[b]) & MASK
    x[d] = rotate(x[d] ^ x[a], 16)
    x[c] = (x[c] + x[d]) & MASK
    x[b] = rotate(x[b] ^ x[c], 12)
    x[a] = (x[a] + x[b]) & MASK
    x[d] = rotate(x[d] ^ x[a], 8)
    x[c] = (x[c] + x[d]) & MASK
    x[b] = rotate(x[b] ^ x[c], 7)


def chacha8_words(key, stream):
    """ChaCha with 8 rounds, a 64-bit block counter and a 64-bit stream number."""
    as_words = lambda octets: [int(word) for word in np.frombuffer(octets, dtype="<u4")]
    head = as_words(b"expand 32-byte k") + as_words(key)
    counter = 0
    while True:
        block = [counter & MASK, counter >> 32, stream & MASK, stream >> 32]
        start = head + block
        x = list(start)
        for _ in range(4):
            quarter_round(x, 0, 4, 8, 12)
            quarter_round(x, 1, 5, 9, 13)
            quarter_round(x, 2, 6, 10, 14)
            quarter_round(x, 3, 7, 11, 15)
            quarter_round(x, 0, 5, 10, 15)
            quarter_round(x, 1, 6, 11, 12)
            quarter_round(x, 2, 7, 8, 13)
            quarter_round(x, 3, 4, 9, 14)
        for word, first in zip(x, start):
            yield (word + first) & MASK
        counter += 1


def draw_below(words, bound):
    while True:
        product = next(words) * bound
        if product & MASK >= 2**32 % bound:
            return product >> 32


METRICS = {
    "accuracy": (1, lambda labels, scores: metrics.accuracy_score(labels, scores > 0.5)),
    "auc": (1, metrics.roc_auc_score),
    "log_loss": (-1, lambda labels, scores: metrics.log_loss(labels, scores, labels=[0, 1])),
    "brier": (-1, lambda labels, scores: metrics.brier_score_loss(labels, scores, pos_label=1)),
}


def bootstrap_case(labels, old, new, metric, resamples, seed, confidence):
    labels, old, new = np.asarray(labels, int), np.asarray(old), np.asarray(new)
    sign, value = METRICS[metric]
    key = seed.to_bytes(8, "little") + b"stemma paired bootstrap1"
    improvements, redrawn = [], 0
    for resample in range(resamples):
        words = chacha8_words(key, resample)
        while True:
            rows = np.array([draw_below(words, len(labels)) for _ in labels])
            if metric != "auc" or len(set(labels[rows].tolist())) == 2:
                break
            redrawn += 1
        drawn = labels[rows]
        improvements.append(sign * (value(drawn, new[rows]) - value(drawn, old[rows])))
    outside = (1 - confidence) / 2
    low, high = np.quantile(improvements, [outside, 1 - outside])
    return {
        "labels": labels.tolist(),
        "scores_old": old.tolist(),
        "scores_new": new.tolist(),
        "metric": metric,
        "resamples": resamples,
        "seed": seed,
        "confidence": confidence,
        "redrawn": redrawn,
        "old": float(value(labels, old)),
        "new": float(value(labels, new)),
        "difference": float(sign * (value(labels, new) - value(labels, old))),
        "low": float(low),
        "high": float(high),
    }


def bootstraps():
    rng = np.random.default_rng(11)
    labels = rng.random(60) < 0.3
    old = np.round(np.clip(0.3 + 0.2 * labels + 0.2 * rng.normal(size=60), 0, 1), 2)
    new = np.clip(0.25 + 0.3 * labels + 0.2 * rng.normal(size=60), 0, 1)
    rare = [1] + [0] * 7
    rare_old = [0.4, 0.6, 0.3, 0.1, 0.4, 0.2, 0.3, 0.1]
    rare_new = [0.5, 0.6, 0.4, 0.2, 0.1, 0.2, 0.5, 0.7]
    cases = [bootstrap_case(labels, old, new, metric, 200, 42, 0.95) for metric in METRICS]
    cases.append(bootstrap_case(rare, rare_old, rare_new, "auc", 150, 2**64 - 1, 0.9))
    return cases


# the same for metrics that are computed anew on each resample


def top(truth, scores, k):
    return metrics.top_k_accuracy_score(truth, scores, k=k, labels=range(scores.shape[1]))


def macro(measure, average):
    return lambda truth, scores: measure(truth, scores.argmax(axis=1), average=average, zero_division=0)


def decided_calibration(truth, scores):
    decided = scores.argmax(axis=1)
    return calibration(truth == decided, scores.max(axis=1))["error"]


CLASS_METRICS = {
    "macro_f1": (1, macro(metrics.f1_score, "macro")),
    "weighted_precision": (1, macro(metrics.precision_score, "weighted")),
    "top@2": (1, lambda truth, scores: top(truth, scores, 2)),
    "auc_ovr": (1, lambda truth, scores: aucs(3, truth, scores)["auc_ovr"]),
    "auc_ovo_weighted": (1, lambda truth, scores: aucs(3, truth, scores)["auc_ovo_weighted"]),
    "ece": (-1, decided_calibration),
}


def class_bootstrap(truth, old, new, metric, resamples, seed):
    sign, value = CLASS_METRICS[metric]
    key = seed.to_bytes(8, "little") + b"stemma paired bootstrap1"
    improvements = []
    for resample in range(resamples):
        words = chacha8_words(key, resample)
        while True:
            rows = np.array([draw_below(words, len(truth)) for _ in truth])
            if not metric.startswith("auc") or len(set(truth[rows].tolist())) == 3:
                break
        improvements.append(sign * (value(truth[rows], new[rows]) - value(truth[rows], old[rows])))
    low, high = np.quantile(improvements, [0.025, 0.975])
    return {
        "metric": metric,
        "resamples": resamples,
        "seed": seed,
        "old": float(value(truth, old)),
        "new": float(value(truth, new)),
        "low": float(low),
        "high": float(high),
    }


def class_bootstraps():
    rng = np.random.default_rng(19)
    truth = rng.choice(3, size=50, p=[0.1, 0.4, 0.5])
    noisy = lambda size: (lambda raw: raw / raw.sum(axis=1, keepdims=True))(np.eye(3)[truth] + size * rng.random((50, 3)))
    old, new = noisy(3), noisy(2)
    cases = [class_bootstrap(truth, old, new, metric, 120, 5) for metric in CLASS_METRICS]
    return [{"truth": truth.tolist(), "old": old.tolist(), "new": new.tolist(), "cases": cases}]


# drift


def stability_case(reference, sample):
    shares = [np.maximum(np.asarray(counts) / np.sum(counts), 1e-4) for counts in (reference, sample)]
    p, q = shares
    return {
        "reference": [int(count) for count in reference],
        "sample": [int(count) for count in sample],
        "index": float(np.sum(rel_entr(p, q) + rel_entr(q, p))),
    }


def stabilities():
    rng = np.random.default_rng(13)
    cases = [
        stability_case([1], [7]),
        stability_case([50, 50], [50, 50]),
        stability_case([50, 50], [10, 90]),
        stability_case([100, 0], [0, 100]),
        stability_case([10, 0, 90], [10, 5, 85]),
        stability_case([1000, 1], [1, 1000]),
    ]
    for bins in (3, 10, 40):
        cases.append(stability_case(rng.integers(0, 100, bins), rng.integers(0, 1000, bins)))
    return cases


def distance_case(reference, sample):
    reference, sample = np.asarray(reference, float), np.asarray(sample, float)
    statistic = ks_2samp(reference, sample, method="asymp").statistic
    n, m = len(reference), len(sample)
    return {
        "reference": reference.tolist(),
        "sample": sample.tolist(),
        "statistic": float(statistic),
        "p_value": float(kolmogorov(np.sqrt(n * m / (n + m)) * statistic)),
    }


def distances():
    rng = np.random.default_rng(17)
    return [
        distance_case([1], [1]),
        distance_case([1], [2]),
        distance_case([1, 2, 3, 4], [3, 4, 5]),
        distance_case(np.zeros(20), np.zeros(30)),
        distance_case(np.zeros(200), np.ones(300)),
        distance_case(rng.integers(1, 5, 150), rng.integers(1, 6, 90)),
        distance_case(rng.normal(size=80), rng.normal(size=120)),
        distance_case(rng.normal(size=300), 0.3 + rng.normal(size=200)),
        distance_case(rng.normal(size=1000), rng.normal(size=50)),
        distance_case(-rng.random(40), rng.random(41)),
    ]


def difference_case(one, other, confidence):
    ends = [binomtest(k, n).proportion_ci(confidence, method="wilson") for k, n in (one, other)]
    p, q = one[0] / one[1], other[0] / other[1]
    return {
        "one": list(one),
        "other": list(other),
        "confidence": confidence,
        "low": float(p - q - np.hypot(p - ends[0].low, ends[1].high - q)),
        "high": float(p - q + np.hypot(ends[0].high - p, q - ends[1].low)),
    }


def differences():
    # the first eight are those of Newcombe's paper, table II
    pairs = [
        ((56, 70), (48, 80)), ((9, 10), (3, 10)), ((6, 7), (2, 7)), ((5, 56), (0, 29)),
        ((0, 10), (0, 20)), ((0, 10), (0, 10)), ((10, 10), (0, 20)), ((10, 10), (0, 10)),
        ((310, 1000), (95, 400)),
    ]
    return [difference_case(one, other, confidence) for one, other in pairs for confidence in (0.9, 0.95)]


# comparison


def mcnemar_case(only_old, only_new):
    table = [[5, only_old], [only_new, 7]]
    squared = lambda corrected: mcnemar(table, exact=False, correction=corrected)
    both = [squared(False), squared(True)] if only_old + only_new else []
    return {
        "only_old": only_old,
        "only_new": only_new,
        "exact": float(mcnemar(table, exact=True).pvalue),
        "chi_squared": [[float(one.statistic), float(one.pvalue)] for one in both],
    }


def mcnemars():
    few = [(0, 0), (0, 1), (1, 0), (1, 1), (8, 2), (2, 8), (0, 10), (5, 5), (12, 12), (3, 21), (0, 24), (11, 13)]
    many = [(12, 13), (13, 12), (0, 25), (30, 12), (50, 50), (103, 61), (1000, 1100), (40000, 41000), (4000, 0)]
    return [mcnemar_case(*counts) for counts in few + many]


def paired_test_case(name, old, new):
    old, new = np.asarray(old, float), np.asarray(new, float)
    deltas = new - old
    differing = deltas[deltas != 0]
    binary = set(np.concatenate([old, new]).tolist()) <= {0.0, 1.0}
    constant = np.allclose(deltas, deltas[0], rtol=1e-9, atol=1e-12)
    if binary:
        better, all_ = int((deltas > 0).sum()), len(differing)
        kind = "mcnemar_exact" if all_ < 25 else "mcnemar_chi2"
        if all_ < 25:
            p_value = binomtest(better, all_, 0.5).pvalue if all_ else 1.0
        else:
            p_value = chi2.sf((abs(2 * better - all_) - 1) ** 2 / all_, 1)
    else:
        kind = "wilcoxon_exact" if len(differing) <= 50 else "wilcoxon_asymptotic"
        method = kind.split("_")[1]
        p_value = wilcoxon(differing, method=method).pvalue if len(differing) else 1.0
    t = None if binary or constant else ttest_rel(new, old)
    interval = t and t.confidence_interval(0.95)
    return {
        "name": name,
        "old": old.tolist(),
        "new": new.tolist(),
        "kind": kind,
        "p_value": float(p_value),
        "differing": len(differing),
        "difference": float(deltas.mean()),
        "effect_size": None if constant else float(deltas.mean() / deltas.std(ddof=1)),
        "t": t and [float(t.statistic), float(t.pvalue), float(interval.low), float(interval.high)],
    }


def paired_tests():
    """The tests that MLflow 3.18 chooses in compare_evaluations, by the same calls of SciPy."""
    rng = np.random.default_rng(23)
    right = lambda share, rows: (rng.random(rows) < share).astype(float)
    base = rng.normal(size=400)
    coarse = lambda rows: rng.integers(0, 5, rows) / 4
    spec = [0.1, -0.05, 0.2, 0.15, 0.3, -0.1, 0.25, 0.05]
    return [
        paired_test_case("of the specification", [0] * 8, spec),
        paired_test_case("few right", right(0.5, 30), right(0.7, 30)),
        paired_test_case("24 of 24", [0] * 24, [1] * 24),
        paired_test_case("many right", right(0.6, 300), right(0.7, 300)),
        paired_test_case("all the same and right", [1, 0, 1, 1, 0, 1], [1, 0, 1, 1, 0, 1]),
        paired_test_case("numbers that never change", [0.5, 0.2, 3, 1, 0, 1], [0.5, 0.2, 3, 1, 0, 1]),
        paired_test_case("all up by as much", [0.5, 0.25, 3, 1, 0, 1], [0.75, 0.5, 3.25, 1.25, 0.25, 1.25]),
        paired_test_case("ties and zeros", coarse(40), coarse(40)),
        paired_test_case("50 differ", base[:50], base[:50] + rng.normal(0.2, 1, 50)),
        paired_test_case("51 differ", base[:51], base[:51] + rng.normal(0.2, 1, 51)),
        paired_test_case("many ties", coarse(500), np.minimum(coarse(500) + right(0.2, 500) / 4, 1)),
        paired_test_case("many", base, base + rng.normal(0.05, 1, 400)),
        paired_test_case("far", base, base + rng.normal(2, 1, 400)),
        paired_test_case("one far out", base[:20], base[:20] + np.r_[rng.normal(0, 0.1, 19), 40]),
    ]


def delong_case(name, labels, old, new, confidence=0.95):
    labels, scores = np.asarray(labels, bool), [np.asarray(old, float), np.asarray(new, float)]
    m, n = int(labels.sum()), int((~labels).sum())
    kernels = [np.heaviside(one[labels][:, None] - one[~labels][None, :], 0.5) for one in scores]
    aucs = [float(kernel.mean()) for kernel in kernels]
    of_positives = np.cov([kernel.mean(axis=1) for kernel in kernels]) / m
    of_negatives = np.cov([kernel.mean(axis=0) for kernel in kernels]) / n
    covariances = of_positives + of_negatives
    variance = float(covariances[0, 0] + covariances[1, 1] - 2 * covariances[0, 1])
    test = None
    if variance > 1e-20:
        difference, error = aucs[1] - aucs[0], np.sqrt(variance)
        low, high = norm.interval(confidence, difference, error)
        z = difference / error
        test = [float(z), float(2 * norm.sf(abs(z))), float(low), float(high)]
    return {
        "name": name,
        "labels": [int(label) for label in labels],
        "scores_old": scores[0].tolist(),
        "scores_new": scores[1].tolist(),
        "confidence": confidence,
        "aucs": aucs,
        "covariances": [float(covariances[0, 0]), float(covariances[1, 1]), float(covariances[0, 1])],
        "test": test,
    }


def delongs():
    rng = np.random.default_rng(29)

    def noisy(rows, share, old, new):
        labels = np.r_[[True, True, False, False], rng.random(rows - 4) < share]
        common = labels + rng.normal(size=rows)
        return labels, common + old * rng.normal(size=rows), common + new * rng.normal(size=rows)

    def rounded(labels, old, new):
        return labels, np.round(old), np.round(new)

    some = noisy(60, 0.4, 1, 0.5)
    return [
        delong_case("some", *some),
        delong_case("some, to 80 %", *some, confidence=0.8),
        delong_case("many", *noisy(400, 0.3, 1.5, 0.7)),
        delong_case("few positives", *noisy(200, 0.02, 1, 1)),
        delong_case("ties", *rounded(*noisy(150, 0.5, 1, 0.5))),
        delong_case("the same ranks", some[0], some[1], 3 * some[1] + 7),
        delong_case("all scores equal", [0, 1, 1, 0], [1] * 4, [2] * 4),
        delong_case("right and wrong round", [0, 0, 1, 1, 1], [5, 4, 3, 2, 1], [1, 2, 3, 4, 5]),
        delong_case("one is perfect", [0, 0, 0, 1, 1, 1], [1, 4, 2, 3, 5, 6], [1, 2, 3, 4, 5, 6]),
    ]


def holm_case(p_values):
    adjusted = multipletests(p_values, method="holm")[1]
    return {"p_values": list(p_values), "adjusted": [float(p_value) for p_value in adjusted]}


def holms():
    rng = np.random.default_rng(31)
    return [
        holm_case([0.03]),
        holm_case([0.01, 0.04, 0.03, 0.005]),
        holm_case([0.02, 0.02, 0.01, 0.02, 0.9]),
        holm_case([0.0, 1.0, 0.5, 0.0]),
        holm_case([1.0] * 3),
        holm_case((rng.random(50) ** 4).tolist()),
        holm_case(np.round(rng.random(40) ** 3, 2).tolist()),
    ]


def more_rows_case(difference, deviation, rows, confidence, power):
    half = norm.isf((1 - confidence) / 2) * deviation / np.sqrt(rows)
    total = normal_sample_size_one_tail(difference, power, (1 - confidence) / 2, std_null=deviation)
    return {
        "difference": difference,
        "low": float(difference - half),
        "high": float(difference + half),
        "confidence": confidence,
        "rows": rows,
        "power": power,
        "total": float(total),
    }


def more_rows():
    return [
        more_rows_case(*case)
        for case in [
            (0.02, 0.5, 300, 0.95, 0.8),
            (-0.02, 0.5, 300, 0.95, 0.8),
            (0.1, 1.0, 300, 0.95, 0.9),
            (0.001, 0.3, 1000, 0.95, 0.5),
            (3.0, 40.0, 100, 0.99, 0.8),
            (1e-4, 0.01, 50, 0.9, 0.99),
        ]
    ]


if __name__ == "__main__":
    DATA.mkdir(exist_ok=True)
    write("binary.json", binary())
    write("classes.json", list(classes_cases()))
    write("labels.json", list(labels_cases()))
    write("query.json", queries())
    write("regression.json", regression())
    write("proportion.json", proportions())
    write("quantile.json", quantiles())
    write("bootstrap.json", bootstraps())
    write("class_bootstrap.json", class_bootstraps())
    write("stability.json", stabilities())
    write("distance.json", distances())
    write("difference.json", differences())
    write("mcnemar.json", mcnemars())
    write("paired_test.json", paired_tests())
    write("delong.json", delongs())
    write("holm.json", holms())
    write("more_rows.json", more_rows())
