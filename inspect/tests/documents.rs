//! Documents with planted broken links and decoys: exactly the broken ones are named.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use inspect::limits::Limits;
use inspect::links;
use std::path::Path;

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn check(files: &[(&str, &str)], expected: &[&str]) -> links::Links {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        write(dir.path(), path, text);
    }
    let found = links::scan(dir.path(), &Limits::default()).unwrap();
    let told: Vec<String> = found
        .broken
        .iter()
        .map(|b| format!("{}:{} {}: {}", b.path, b.line, b.target, b.why))
        .collect();
    assert_eq!(told, expected, "{found:#?}");
    assert_eq!(found.broken_total as usize, expected.len());
    found
}

#[test]
fn exactly_the_broken_links_are_named() {
    let readme = "# Top\n\n[gone](docs/gone.md) [here](docs/guide.md) [folder](docs/) [self](#top) [cap](#TOP)\n\
        [no heading](docs/guide.md#nope) [heading](docs/guide.md#step-1-begin) [second](docs/guide.md#again-1)\n\
        ![pic](img/a%20b.png) ![no pic](img/b.png) [case](docs/GUIDE.md)\n\
        `[code](docs/no.md)`\n\n```\n[fenced](docs/no.md)\n```\n<!-- [hidden](docs/no.md) -->\n\
        [ref][known] [bad ref][unknown] [x] grid[i][j]\n\n[known]: docs/guide.md\n[unused]: docs/unused-and-gone.md\n\
        [site](https://example.org/a#b) <https://Example.org/a> [mail](mailto:a@b.c) [issues](../../issues)\n\
        [line](src/main.rs#L2) [far](src/main.rs#L9-L12) [root](/docs/guide.md) [bad root](/nope.md)\n\
        <a href=\"docs/html-gone.md\">h</a> <img src=\"img/a b.png\"> [tmpl]({{ url }})\n";
    let found = check(
        &[
            ("README.md", readme),
            (
                "docs/guide.md",
                "# Guide\n\n## Step 1: begin\n\n## Again\n\n## Again\n\n[up](../README.md#top) [bad up](../LICENSE)\n",
            ),
            (
                "docs/index.rst",
                "Top\n===\n\n`ok <guide.md>`_ `gone <gone.rst>`__ :doc:`guide` :doc:`missing`\n\n.. image:: ../img/none.png\n\nCode::\n\n  `no <x.rst>`_\n",
            ),
            (
                "site/index.html",
                "<a href='../README.md'>r</a><a href=\"other.html\">made from markdown</a>\n<a href='gone.html#x'>g</a><a href='#no'>n</a><p id='Yes'></p><a href='#yes'>y</a>",
            ),
            ("site/other.md", "text"),
            ("img/a b.png", "x"),
            ("src/main.rs", "fn main() {\n}\n"),
            ("tests/fixtures/bad.md", "[wrong on purpose](nowhere.md)"),
            ("node_modules/p/README.md", "[not ours](nowhere.md)"),
            (".gitignore", "ignored/\n"),
            ("ignored/x.md", "[not looked at](nowhere.md)"),
        ],
        &[
            "README.md:3 docs/gone.md: there is no such file",
            "README.md:4 docs/guide.md#nope: there is no such heading in docs/guide.md",
            "README.md:5 docs/GUIDE.md: there is no such file",
            "README.md:5 img/b.png: there is no such file",
            "README.md:12 [unknown]: no such reference is defined",
            "README.md:17 /nope.md: there is no such file",
            "README.md:17 src/main.rs#L9-L12: src/main.rs has 2 lines",
            "README.md:18 docs/html-gone.md: there is no such file",
            "docs/guide.md:9 ../LICENSE: there is no such file",
            "docs/index.rst:4 gone.rst: there is no such file",
            "docs/index.rst:4 missing: there is no such document",
            "docs/index.rst:6 ../img/none.png: there is no such file",
            "site/index.html:2 #no: there is no such heading in this document",
            "site/index.html:2 gone.html#x: there is no such file",
        ],
    );
    assert_eq!((found.outside, found.addresses_total), (2, 2));
    assert_eq!(found.hosts[0].host, "example.org");
    assert_eq!((found.documents, found.passed), (5, 1));
    assert_eq!(found.other, 2);
}

#[test]
fn a_site_may_name_what_its_pages_become() {
    let page = "[a](guide/intro) [b](/guide/intro/) [c](gone)\n";
    check(
        &[
            ("mkdocs.yml", ""),
            ("docs/index.md", page),
            ("docs/guide/intro.md", "x"),
        ],
        &["docs/index.md:1 gone: there is no such file"],
    );
    check(
        &[
            ("docs/index.md", "[a](guide/intro)\n"),
            ("docs/guide/intro.md", "x"),
        ],
        &["docs/index.md:1 guide/intro: there is no such file"],
    );
}

#[test]
fn nothing_to_find_is_nothing_found() {
    let found = check(&[("README.md", "# Fine\n\n[a](#fine)\n")], &[]);
    assert_eq!((found.documents, found.tried), (1, 1));
    let found = check(&[("main.rs", "// [a](b.md)\n")], &[]);
    assert_eq!((found.documents, found.tried), (0, 0));
}
