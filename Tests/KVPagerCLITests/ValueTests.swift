import KVInterchange
import Testing

@testable import KVPagerCLI

@Suite struct ValueTests {
  @Test(arguments: [
    ("0", 0), ("4096", 4096), ("64MiB", 64 << 20), ("1GiB", 1 << 30), ("2TiB", 2 << 40), ("3KiB", 3072),
    ("1.5GiB", 3 << 29), ("0.5KiB", 512), ("20GB", 20_000_000_000), ("1kb", 1000), ("7mb", 7_000_000),
    ("1TB", 1_000_000_000_000), ("12B", 12),
  ])
  func `sizes are read with binary and decimal units`(text: String, byteCount: Int) {
    #expect(ByteSize(text)?.byteCount == byteCount)
  }

  @Test(arguments: [
    "", "MiB", "64M", "-1", "1.GiB", ".5GiB", "1.2.3GiB", "1.5", "1e3", "64 MiB", "9999999999999TiB", "0x10",
    "99999999999999999999", "٣MiB",
  ])
  func `what is no size is not guessed at`(text: String) {
    #expect(ByteSize(text) == nil)
  }

  @Test(arguments: [
    (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (11_805_428, "11.3 MiB"), (1 << 30, "1.0 GiB"),
    ((1 << 20) - 1, "1.0 MiB"), (5 << 40, "5.0 TiB"),
  ])
  func `sizes are shown in the largest unit that fits`(byteCount: Int, text: String) {
    #expect(ByteSize(byteCount).description == text)
  }

  @Test func `lifetimes are a number and a unit`() {
    #expect(Lifetime("90s")?.microseconds == 90_000_000)
    #expect(Lifetime("45m")?.microseconds == 2_700_000_000)
    #expect(Lifetime("12h")?.microseconds == 43_200_000_000)
    #expect(Lifetime("30d")?.microseconds == 2_592_000_000_000)
    #expect(Lifetime("2w")?.microseconds == 1_209_600_000_000)
    for text in ["", "d", "0d", "-1d", "1.5d", "30", "30x", "99999999999999999999s", "9999999999w"] {
      #expect(Lifetime(text) == nil, "\(text)")
    }
  }

  @Test func `metadata is split at the first equals sign`() {
    let entry = MetadataEntry(argument: "a=b=c")
    #expect(entry?.name == "a")
    #expect(entry?.value == "b=c")
    #expect(MetadataEntry(argument: "a=")?.value == "")
    #expect(MetadataEntry(argument: "=b") == nil)
    #expect(MetadataEntry(argument: "ab") == nil)
  }

  @Test func `times are shown in UTC for programs`() {
    #expect(Timestamp(microseconds: 0).iso8601 == "1970-01-01T00:00:00Z")
    #expect(Timestamp(microseconds: 951_782_400_999_999).iso8601 == "2000-02-29T00:00:00Z")
    _ = Timestamp(microseconds: .max).local
  }

  @Test func `numbers keep their decimals`() {
    #expect(Decimal.text(1.005, digits: 1) == "1.0")
    #expect(Decimal.text(2.96, digits: 1) == "3.0")
    #expect(Decimal.text(0.04, digits: 2) == "0.04")
    #expect(Decimal.text(-1.25, digits: 1) == "-1.3")
    #expect(Decimal.text(7.5, digits: 0) == "8")
  }

  @Test func `token ids are read from JSON and from plain text`() throws {
    for text in ["[1, -2,3]", " [ 1\n,-2, 3 ] \n", "1 -2 3", "1,-2,3", "1\n-2\n3\n"] {
      #expect(try TokenFile.parse(Array(text.utf8)) == [1, -2, 3])
    }
    for text in ["", "  ", "[]"] { #expect(try TokenFile.parse(Array(text.utf8)).isEmpty) }
    let malformed = [
      ("[1, 2", 5), ("1 x", 2), ("2147483648", 0), ("[1] 2", 4), ("1.5", 1), ("{}", 0), ("[1]]", 3), ("--1", 0),
    ]
    for (text, offset) in malformed {
      let error = #expect(throws: FormatError.self) { try TokenFile.parse(Array(text.utf8)) }
      #expect(error?.offset == offset, "\(text)")
    }
  }

  @Test func `tables align their columns`() {
    var table = TextTable([("NAME", .left), ("N", .right), ("NOTE", .left)])
    table.append(["a", "1", "x"])
    table.append(["long", "100", ""])
    #expect(table.text == "NAME    N  NOTE\na       1  x\nlong  100\n")
  }

  @Test func `wide characters take two columns in tables too`() {
    var table = TextTable([("NAME", .left), ("N", .right)])
    table.append(["会话", "1"])
    table.append(["chat", "10"])
    #expect(table.text == "NAME   N\n会话   1\nchat  10\n")
    let rows = [["会话", "1"], ["a", "2"]]
    var lines = TableLines([("NAME", .left), ("N", .right)])
    for row in rows { lines.measure(row) }
    #expect(rows.map { DisplayWidth.of(lines.line($0)) } == [9 - 1, 9 - 1])
    #expect(Ink.width(of: Ink(isColored: true).bad("会话")) == 4)
    #expect(Snippet.lines("会话会话", columnCount: 4) == ["会话", "会话"])
  }

  @Test func `a locale says whether it is UTF-8, whatever follows`() {
    #expect(["en_US.UTF-8", "C.utf8", "de_DE.UTF-8@euro"].allSatisfy(Terminal.isUTF8))
    #expect(["", "C", "POSIX", "de_DE.ISO-8859-1@euro"].allSatisfy { !Terminal.isUTF8(locale: $0) })
  }

  @Test func `progress tells bytes, share and speed`() {
    let text = ProgressLine.text("importing", done: 50 << 20, of: 100 << 20, after: .seconds(2))
    #expect(text == "importing 50.0 MiB of 100.0 MiB, 50 %, 26.2 MB/s, 2 s left")
    #expect(ProgressLine.text("x", done: 1, of: 4000, after: .seconds(1)).hasSuffix(", 1 h 6 min left"))
    #expect(ProgressLine.text("x", done: 0, of: 0, after: .zero) == "x 0 B of 0 B, 100 %, - MB/s")
  }

  @Test func `control characters do not reach the terminal`() {
    #expect(Answer.printable("plain ü") == "plain ü")
    #expect(!Answer.printable("a\u{1B}[31m\nb").unicodeScalars.contains { $0.value < 0x20 })
    // What turns or breaks a line does as much harm.
    #expect(Answer.printable("a\u{202E}b\u{2028}c\u{FEFF}\u{9B}") == #"a\u{202E}b\u{2028}c\u{FEFF}\u{009B}"#)
    #expect(Answer.printable("会话 \u{1F469}\u{200D}\u{1F4BB} é") == "会话 \u{1F469}\u{200D}\u{1F4BB} é")
    #expect(Snippet.quoted("a\u{202E}", columnCount: 80, ellipsis: "~") == #""a\u{202E}""#)
  }
}
