//! Percentiles of small samples.

/// The value below which a share `q` (0 to 1) of the sample lies; 0 for an empty sample.
pub fn percentile(sample: &mut [f64], q: f64) -> f64 {
    sample.sort_by(f64::total_cmp);
    let last = sample.len().saturating_sub(1);
    let at = (q.clamp(0.0, 1.0) * last as f64).round() as usize;
    sample.get(at).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_of_a_known_sample() {
        let mut sample: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut sample, 0.5), 50.0);
        assert_eq!(percentile(&mut sample, 0.99), 99.0);
        assert_eq!(percentile(&mut [], 0.5), 0.0);
    }
}
