"""What the numbers of a report mean, in words for a reader who knows no statistics."""

from __future__ import annotations

from panopt.findings import Finding
from panopt.records.ask import Ask

__all__ = ["SECTIONS", "explained", "meaning", "section"]

#: Sections of the terminal's list of numbers, in their order.
SECTIONS = ("against humans", "among the judges", "more")

_HUMANS = {
    "human_agreement": "share of labelled responses on which panel and human agree",
    "certified_threshold": "confidence from which verdicts are certified to agree with humans",
    "certified_coverage": "share of all responses that reach it",
    "certificate_risk": "share of verdicts that the certificate accepts and humans contradict",
    "certificate_drift": "0: confidences are spread as when certified; 1: all of them elsewhere",
    "conformal_halfwidth": "for {coverage:.4g}% of responses human and panel are this near",
    "conformal_family_halfwidth": "the same, of the responses of one task family",
    "conformal_class_coverage": "share of intervals that hold the human score, where humans say so",
    "conformal_set_size": "labels to list for {coverage:.4g}% of lists to hold the human's",
    "conformal_set_class_coverage": "share of lists that hold the human's label, by that label",
    "conformal_exchangeable_p": "near 0: labelled responses look unlike the rest to the panel",
    "interval_coverage": "share of the panel's own intervals that hold the human score",
    "auroc": "1: right verdicts have the higher confidence; 0.5: confidence says nothing",
    "auprc": "how many verdicts are right among the surest ones, at each right one, on average",
    "aurc": "how many verdicts are wrong among the surest ones, over all numbers accepted",
    "ece": "how far the panel's confidence is from how often it is right, on average",
    "ece_equal_mass": "the same, over bins of equally many responses",
    "mce": "how far confidence is from how often verdicts are right, at its worst",
    "brier": "0: sure and right everywhere; 0.25: as good as a confidence of one half",
    "calibrated_brier": "the same, of confidence recalibrated to human labels",
    "hosmer_lemeshow_p": "near 0: confidence does not fit how often verdicts are right",
    "reliability": "share of verdicts right, among those of like confidence",
    "supervised_agreement": "share of human verdicts met when the votes are weighed by the labels",
    "judge_agreement": "share of human verdicts that the judge meets",
}
_JUDGES = {
    "alpha": "1: the judges always agree; 0: no more than by chance (Krippendorff's alpha)",
    "alpha_without": "the judges' agreement beyond chance without this one",
    "raw_agreement": "share of pairs of votes on one response that are equal",
    "ac1": "agreement beyond chance, also where nearly all verdicts are alike (Gwet)",
    "ac2": "the same, near levels counted as partly agreed (Gwet)",
    "kappa": "1: the two judges always agree; 0: no more than by chance (Cohen's kappa)",
    "fleiss_kappa": "1: the judges always agree; 0: no more than by chance (Fleiss' kappa)",
    "icc_2_1": "share of a single score's variance that is the response, judges' levels counting",
    "icc_2_k": "the same, of the judges' mean",
    "icc_3_1": "share of a single score's variance that is the response, judges' levels aside",
    "icc_3_k": "the same, of the judges' mean",
    "effective_judges": "independent judges the panel is worth, as far as errors are shared",
    "residual_correlation": "1: the two judges make the same errors; 0: errors of their own",
    "judge_noise_share": "share of a single score's variance that is the judge, not the response",
    "accuracy": "how often the judge is right, as far as votes alone can tell",
    "bias": "how much higher the judge scores than others or humans do",
    "noise_sd": "the usual size of the judge's other errors",
    "ordinal_offset": "how much higher the judge sees quality, in sd of quality",
    "ordinal_noise": "the usual size of the judge's other errors, in sd of quality",
    "variance_item": "how much responses differ (variance)",
    "variance_judge": "how much judges differ in level (variance)",
    "variance_item_judge": "how much judges differ about single responses (variance)",
    "variance_repeat": "how much a judge differs from itself when asked again (variance)",
    "aleatoric_variance": "doubt that asking the same judges again would show (variance)",
    "epistemic_variance": "doubt that other judges would show (variance)",
    "within_judge_sd": "how far the judge's repeats lie from each other",
    "modal_share": "share of the judge's repeats that give its commonest label",
    "semantic_entropy": "0: a judge's reasons say the same each time; more: other things (nats)",
    "self_preference": "how much more the judge gives its own family's answers than others do",
    "self_preference_humans": "the same, beside answers that humans score alike",
    "self_preference_pairs": "how much more often it lets its own family win than others do",
    "length_bias": "how much more the judge gives than others for an answer twice as long",
    "length_bias_humans": "the same, beside answers that humans score alike",
    "scale_ends": "how much more of its scores lie at the ends of the scale than others' do",
    "scale_entropy": "how much more evenly it uses the levels of the scale than others do",
    "repeat_flips": "how often the judge, asked the same again, changes between pass and fail",
    "repeat_flips_excess": "how much more often it does so than the other judges",
    "position_lean": "by how much being shown first lifts the share of wins above one half",
    "version_drift": "how much higher the later version of the judge scores the same answers",
    "time_drift": "how much the judge's scores move from the others' in 30 days",
    "lexical_similarity": "1: a judge's reasons use the same words each time; 0: other ones",
}
_SYSTEMS = {
    "mean": "mean score of the system's responses",
    "mean_anytime": "the same, with an interval that holds at every look while a run goes on",
    "ppi_mean": "mean that humans would give, by the labels there are and the panel",
    "ppi_pass_rate": "share that humans would pass, by the labels there are and the panel",
    "pass_rate": "share of its responses at the threshold or above",
    "difference": "how much higher the first system scores than the second on the same items",
    "rank": "the system's place, 1 the best",
    "strength": "log-odds of winning against the average system",
    "win_rate": "share of its pairs that the system wins, ties half",
    "tie_rate": "share of pairs that the judge calls a tie",
    "position_bias": "share of pairs that the answer shown first wins; fair: one half",
    "flip_rate": "share of verdicts that change when the answers are swapped",
    "cycle_rate": "share of triples where one beats two, two beats three, three beats one",
    "judge_scale": "how strongly the judge's verdicts follow strength; the judges' average is 1",
    "position_effect": "log-odds that being shown first adds",
}
_UNSEEN = "at most so many independent judges: errors that all share show only against human labels"
_RECALIBRATED = "for {coverage:.4g}% of responses human and recalibrated panel are this near"


def section(row: Finding) -> str:
    """Name the section a number of the panel stands in."""
    if row.name in _HUMANS:
        return SECTIONS[0]
    return SECTIONS[1] if _key(row) in _JUDGES else SECTIONS[2]


def meaning(row: Finding, ask: Ask) -> str:
    """Say what a number means; of a stranger's, how it was made."""
    words = _words(row)
    if row.name == "effective_judges" and row.details.get("against") != "humans":
        words = _UNSEEN
    if row.name == "conformal_halfwidth" and row.details.get("recalibrated") is True:
        words = _RECALIBRATED
    return row.method if words is None else words.format(coverage=100 * (1 - ask.alpha))


def explained(row: Finding) -> bool:
    """Tell whether a number has words of its own here."""
    return _words(row) is not None


def _words(row: Finding) -> str | None:
    return _HUMANS.get(row.name) or _JUDGES.get(_key(row)) or _SYSTEMS.get(row.name)


def _key(row: Finding) -> str:
    known = row.name in _JUDGES
    return "alpha" if row.name.startswith("alpha_") and not known else row.name
