//! The brakes where neither bus nor warden answers at first.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::run::tests::bare;

#[test]
fn what_the_warden_did_not_take_is_said() {
    for (frozen, heard, expected) in [
        (true, true, ""),
        (false, true, ""),
        (true, false, "may go on"),
        (
            false,
            false,
            "does nothing on the host itself until it does",
        ),
    ] {
        let said = unheard(&Told { frozen, heard });
        assert!(said.contains(expected), "{said}");
        assert_eq!(said.is_empty(), expected.is_empty(), "{said}");
    }
}

/// There is no Redis all the while: the warden hears of the freeze all the same, once it is there.
#[tokio::test]
async fn a_warden_that_was_away_hears_of_the_freeze_and_the_person_of_the_warden() {
    let folder = tempfile::Builder::new().prefix("sv").tempdir().unwrap();
    let desk = bare(folder.path()).await;
    let home = desk.home.clone();
    let who = Principal {
        uid: 1000,
        name: "ada".to_owned(),
    };
    let role: Role = "code".parse().unwrap();
    let unheard = "the warden of this host did not";
    let said = pull(&desk, &who, Some(&role)).await.unwrap();
    assert!(!said.contains(unheard), "{said}");
    let said = pull(&desk, &who, None).await.unwrap();
    for words in ["the team is frozen since", unheard] {
        assert!(said.contains(words), "{said}");
    }
    let frozen = home.warden().join("frozen");
    let (kept, wait) = (frozen.clone(), Duration::from_millis(10));
    let story = async {
        while !kept.exists() {
            sleep(wait).await;
        }
        let said = pull(&desk, &who, None).await.unwrap();
        assert!(!said.contains(unheard), "{said}");
        let said = release(&desk, &who, None).await.unwrap();
        assert!(!said.contains(unheard), "{said}");
        while kept.exists() {
            sleep(wait).await;
        }
    };
    let limit = Duration::from_secs(60);
    tokio::select! {
        () = keep(&desk) => {}
        ended = warden::serve::run(home.clone(), "web1".to_owned()) => panic!("{ended:?}"),
        told = timeout(limit, story) => told.unwrap(),
    }
}
