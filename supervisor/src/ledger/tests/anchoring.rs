//! How far a record was seen to go: raised, never lowered.

use super::*;

#[test]
fn an_anchor_is_only_ever_raised() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        for (host, seq, hash) in [("b", 7, "x"), ("a", 3, "y"), ("b", 9, "z"), ("b", 8, "w")] {
            ledger
                .anchor(host, seq, hash, at(seq as i64))
                .await
                .unwrap();
        }
        let all = ledger.anchors().await.unwrap();
        let seen: Vec<(&str, u64, &str)> = (all.iter())
            .map(|one| (one.host.as_str(), one.seq, one.hash.as_str()))
            .collect();
        assert_eq!(seen, [("a", 3, "y"), ("b", 9, "z")]);
        assert_eq!(all[1].at, at(9));
        ledger.forget_anchors().await.unwrap();
        assert_eq!(ledger.anchors().await.unwrap(), []);
    });
}
