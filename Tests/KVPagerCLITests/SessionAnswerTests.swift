import Testing

struct SessionAnswerTests {
  @Test(arguments: [
    ("sessions.txt", ["sessions"]), ("sessions.json", ["sessions", "--json"]),
    ("session-anna.txt", ["session", "support/anna", "--space", "1"]),
    ("session-anna.json", ["session", "support/anna", "--space", "1", "--json"]),
  ])
  func `sessions answers as it always did`(name: String, arguments: [String]) throws {
    try GoldenAnswer.expect(name, arguments)
  }
}
