import Testing

struct SessionAnswerTests {
  @Test(arguments: [
    ("sessions.txt", ["sessions"]), ("sessions.json", ["sessions", "--json"]),
    (
      "sessions-own.txt", ["sessions", "--sort", "own", "--limit", "3", "--columns", "name,space,frees,metadata.title"]
    ),
    ("sessions-own.json", ["sessions", "--sort", "own", "--reverse", "--limit", "2", "--json"]),
    ("sessions-anna.txt", ["sessions", "--name", "support/*", "--metadata", "user=anna", "--space", "1"]),
    ("sessions-expired.txt", ["sessions", "--expired", "--columns", "name,expires,updated,revision"]),
    ("sessions-none.txt", ["sessions", "--unused-for", "52w"]),
    ("session-anna.txt", ["session", "support/anna", "--space", "1"]),
    ("session-anna.json", ["session", "support/anna", "--space", "1", "--json"]),
    ("session-window.txt", ["session", "window", "--blocks", "--tokens"]),
  ])
  func `sessions answers as it always did`(name: String, arguments: [String]) throws {
    try GoldenAnswer.expect(name, arguments)
  }

  @Test func `a column, an order or a limit that there is none of is wrong usage`() throws {
    let folder = try GoldenAnswer.store()
    for wrong in [["--columns", "name,colour"], ["--sort", "colour"], ["--limit", "0"], ["--unused-for", "soon"]] {
      try CommandLineTool.run(["sessions", "--store", folder.store] + wrong, expecting: 2)
    }
  }
}
