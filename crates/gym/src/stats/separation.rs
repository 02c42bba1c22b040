//! How well a shallow classifier tells two labels apart: logistic regression, cross-validated, as the area under the ROC curve.

/// One labelled description.
#[derive(Debug, Clone)]
pub struct Example<'a> {
    /// The description; as many numbers for each example.
    pub numbers: &'a [f64],
    /// The label.
    pub label: bool,
    /// What belongs together: the classifier that judges one has seen none of its group.
    pub group: &'a str,
}

const FOLDS: usize = 5;
const STEPS: usize = 300;
const RATE: f64 = 0.3;
/// Weight of the squared coefficients, which have unit scale; as strong as in common libraries.
const RIDGE: f64 = 1.0;

/// The score of each example by a classifier that has not seen its group; higher means that the label is rather true.
pub fn cross_validated(examples: &[Example<'_>]) -> Vec<f64> {
    let mut groups: Vec<&str> = Vec::new();
    let folds: Vec<usize> = examples
        .iter()
        .map(|example| {
            let known = groups.iter().position(|group| *group == example.group);
            known.unwrap_or_else(|| {
                groups.push(example.group);
                groups.len() - 1
            }) % FOLDS
        })
        .collect();
    let mut scores = vec![0.0; examples.len()];
    for fold in 0..FOLDS {
        let seen: Vec<&Example<'_>> =
            examples.iter().zip(&folds).filter(|(_, own)| **own != fold).map(|(example, _)| example).collect();
        let classifier = Classifier::fit(&seen);
        for (at, example) in examples.iter().enumerate().filter(|(at, _)| folds[*at] == fold) {
            scores[at] = classifier.score(example.numbers);
        }
    }
    scores
}

/// The probability that a true example has the higher score than a false one; ties count half. One half without either.
pub fn auc(scores: &[f64], labels: &[bool]) -> f64 {
    let of =
        |wanted: bool| scores.iter().zip(labels).filter(move |(_, label)| **label == wanted).map(|(score, _)| score);
    let (mut won, mut games) = (0.0, 0.0);
    for yes in of(true) {
        for no in of(false) {
            won += if yes > no {
                1.0
            } else if yes == no {
                0.5
            } else {
                0.0
            };
            games += 1.0;
        }
    }
    if games == 0.0 { 0.5 } else { won / games }
}

/// The area that chance alone exceeds in one of twenty sets with so many examples of each label (normal approximation of the
/// Mann-Whitney statistic).
pub fn auc_by_chance(of_each: usize) -> f64 {
    const ONE_OF_TWENTY: f64 = 1.645;
    let n = of_each.max(1) as f64;
    0.5 + ONE_OF_TWENTY * ((2.0 * n + 1.0) / (12.0 * n * n)).sqrt()
}

/// Logistic regression on standardised numbers.
struct Classifier {
    means: Vec<f64>,
    scales: Vec<f64>,
    weights: Vec<f64>,
    bias: f64,
}

impl Classifier {
    fn fit(examples: &[&Example<'_>]) -> Self {
        let count = examples.len().max(1) as f64;
        let width = examples.first().map_or(0, |example| example.numbers.len());
        let mean = |of: &dyn Fn(&Example<'_>) -> f64| examples.iter().map(|example| of(example)).sum::<f64>() / count;
        let means: Vec<f64> = (0..width).map(|at| mean(&|example| example.numbers[at])).collect();
        let spread = |at: usize| mean(&|example| (example.numbers[at] - means[at]).powi(2)).sqrt();
        // What never varies says nothing, whatever it is divided by.
        let scales: Vec<f64> = (0..width).map(|at| if spread(at) > 0.0 { spread(at) } else { 1.0 }).collect();
        let mut classifier = Self { means, scales, weights: vec![0.0; width], bias: 0.0 };
        let rows: Vec<Vec<f64>> = examples.iter().map(|example| classifier.standardised(example.numbers)).collect();
        for _ in 0..STEPS {
            classifier.step(&rows, examples, count);
        }
        classifier
    }

    fn step(&mut self, rows: &[Vec<f64>], examples: &[&Example<'_>], count: f64) {
        let mut slopes = vec![0.0; self.weights.len()];
        let mut slope = 0.0;
        for (row, example) in rows.iter().zip(examples) {
            let probability = 1.0 / (1.0 + (-self.raw(row)).exp());
            let error = probability - f64::from(u8::from(example.label));
            slopes.iter_mut().zip(row).for_each(|(slope, number)| *slope += error * number);
            slope += error;
        }
        for (weight, slope) in self.weights.iter_mut().zip(slopes) {
            *weight -= RATE * (slope + RIDGE * *weight) / count;
        }
        self.bias -= RATE * slope / count;
    }

    fn standardised(&self, numbers: &[f64]) -> Vec<f64> {
        numbers
            .iter()
            .zip(&self.means)
            .zip(&self.scales)
            .map(|((number, mean), scale)| (number - mean) / scale)
            .collect()
    }

    fn raw(&self, row: &[f64]) -> f64 {
        row.iter().zip(&self.weights).map(|(number, weight)| number * weight).sum::<f64>() + self.bias
    }

    fn score(&self, numbers: &[f64]) -> f64 {
        self.raw(&self.standardised(numbers))
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// The area for `pairs` of a true and a false example; the first of three numbers is higher by `shift` for true ones.
    fn area(pairs: usize, shift: f64, seed: u64) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut noise = || (0..12).map(|_| rng.random_range(-0.5..0.5)).sum::<f64>();
        let rows: Vec<(Vec<f64>, bool, String)> = (0..2 * pairs)
            .map(|at| {
                let label = at % 2 == 0;
                let first = noise() + if label { shift } else { 0.0 };
                (vec![first, noise(), 100.0 * noise()], label, (at / 2).to_string())
            })
            .collect();
        let examples: Vec<Example<'_>> =
            rows.iter().map(|(numbers, label, group)| Example { numbers, label: *label, group }).collect();
        let labels: Vec<bool> = rows.iter().map(|(_, label, _)| *label).collect();
        auc(&cross_validated(&examples), &labels)
    }

    #[test]
    fn what_the_numbers_tell_is_found_and_what_they_do_not_is_not() {
        // Two normal distributions one deviation apart: Φ(1/√2) = 0.76.
        assert!((area(500, 1.0, 1) - 0.76).abs() < 0.04);
        assert!((area(500, 0.0, 2) - 0.5).abs() < 0.04);
    }

    #[test]
    fn a_group_is_judged_by_a_classifier_that_has_not_seen_it() {
        // The number of an example says nothing but whose it is: learnt by heart it would tell every label.
        let numbers: Vec<Vec<f64>> =
            (0..40).map(|at| (0..40).map(|it| f64::from(u8::from(it == at))).collect()).collect();
        let groups: Vec<String> = (0..40).map(|at| at.to_string()).collect();
        let rows = numbers.iter().zip(&groups).enumerate();
        let examples: Vec<Example<'_>> =
            rows.map(|(at, (numbers, group))| Example { numbers, label: at % 2 == 0, group }).collect();
        let labels: Vec<bool> = examples.iter().map(|example| example.label).collect();
        assert!(auc(&cross_validated(&examples), &labels) < 0.7);
    }

    #[test]
    fn areas_are_shares_of_won_comparisons() {
        assert_eq!(auc(&[3.0, 2.0, 1.0, 2.0], &[true, true, false, false]), 0.875);
        assert_eq!(auc(&[1.0], &[true]), 0.5);
        assert!((auc_by_chance(50) - 0.5955).abs() < 1e-3);
    }
}
