//! The learning rate: linear warm-up, then half a cosine (SGDR without restarts, arXiv 1608.03983, equation 5).

/// The factor on the peak learning rate in `step` (from 0) of `steps`.
pub fn factor(step: usize, steps: usize, warmup: f64, final_share: f64) -> f64 {
    let rising = (warmup * steps as f64).round() as usize;
    if step < rising {
        return (step + 1) as f64 / rising as f64;
    }
    let progress = (step - rising) as f64 / (steps - rising).saturating_sub(1).max(1) as f64;
    final_share + (1.0 - final_share) * 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_to_one_and_falls_to_the_final_share() {
        let at = |step| factor(step, 110, 0.1, 0.05);
        assert!((at(0) - 1.0 / 11.0).abs() < 1e-12);
        assert_eq!((at(10), at(11)), (1.0, 1.0));
        assert!((at(60) - 0.525).abs() < 0.02, "{}", at(60));
        assert!((at(109) - 0.05).abs() < 1e-12);
    }

    #[test]
    fn it_is_finite_for_a_single_step() {
        assert_eq!(factor(0, 1, 0.0, 0.1), 1.0);
        assert_eq!(factor(0, 1, 1.0, 0.1), 1.0);
    }
}
