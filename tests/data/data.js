window.BENCHMARK_DATA = {
  "lastUpdate": 1700000600000,
  "repoUrl": "https://github.com/example/project",
  "entries": {
    "Rust Benchmark": [
      {
        "commit": {
          "author": { "email": "person@example.com", "name": "A Person", "username": "person" },
          "committer": { "email": "person@example.com", "name": "A Person", "username": "person" },
          "distinct": true,
          "id": "60e3ac0d19371fc2e2447c2a0a8a8f0c0d6a1ef5",
          "message": "Make it faster",
          "timestamp": "2023-11-14T22:13:20Z",
          "tree_id": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
          "url": "https://github.com/example/project/commit/60e3ac0d19371fc2e2447c2a0a8a8f0c0d6a1ef5"
        },
        "date": 1700000000000,
        "tool": "cargo",
        "benches": [
          { "name": "fib/10", "value": 135, "range": "± 24", "unit": "ns/iter" },
          { "name": "binary size", "value": 812345, "unit": "bytes" }
        ]
      },
      {
        "commit": { "id": "8b1a9953c4611296a827abf8c47804d7f0f6d2aa", "message": "Next", "timestamp": "2023-11-14T22:23:20Z", "url": "https://github.com/example/project/commit/8b1a9953" },
        "date": 1700000600000,
        "tool": "cargo",
        "benches": [
          { "name": "fib/10", "value": 118, "range": "± 9", "unit": "ns/iter" }
        ]
      }
    ]
  }
}
