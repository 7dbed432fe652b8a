import KVInspection

/// What was measured on the machine that made the page.
enum MeasuredSection {
  static func section(_ study: PagingStudy, _ measurements: StudyMeasurements) -> PageFrame.Section {
    var figures: [HTML] = []
    if let measured = measurements.attention {
      figures.append(attention(measured))
    } else if let refusal = measurements.attentionRefusal {
      figures.append(Figure.nothing("Attention was not measured: \(refusal)."))
    }
    figures += [lookup(measurements.lookup), compression(measurements.codec), codecTime(measurements.codec)]
    return PageFrame.Section(
      "measured", "Measured on this machine", short: "Measured",
      lead: "Medians of rounds in which each size has its turn. Other work on the machine shows.",
      body: Figure.row(figures))
  }

  private static func attention(_ measured: AttentionMeasurement) -> HTML {
    var table = DataTable(
      "Attention by block size", [.number("Tokens in a block"), .number("Time / over one array"), .number("ms")])
    let bars = measured.figures.map { figure -> BarList.Bar in
      let ratio = Figures.decimal(figure.ratio, digits: 3)
      table.append([
        Figures.html(count: figure.blockTokenCount), "\(ratio)\u{a0}×",
        "\(Figures.decimal(figure.microseconds / 1000, digits: 2))",
      ])
      return BarList.Bar(
        "\(Figures.count(figure.blockTokenCount, "token"))", Int(figure.ratio * 1000), before: 1000,
        figure: "\(ratio)\u{a0}×")
    }
    return Figure.html(
      "Attention through blocks",
      note: """
        Time of one query on \(Figures.count(measured.contextTokenCount, "token")) \
        (\(Figures.bytes(measured.byteCount)) of one layer; the caches hold \
        \(Figures.bytes(measured.cacheByteCount))) in blocks anywhere, over that on one array, which takes \
        \(Figures.decimal(measured.contiguousMicroseconds / 1000, digits: 1)) ms; the same kernel, one thread. One \
        array against itself: \(Figures.decimal(measured.controlRatio, digits: 3))\u{a0}×, in a round typically \
        \(StudyPage.percent(measured.controlSpread)) from 1: a difference up to that is noise. Orange is what blocks \
        take longer, hatched what they save.
        """,
      drawing: BarList(bars, isCompact: true).html, table: table.html)
  }

  private static func lookup(_ measured: LookupMeasurement) -> HTML {
    var table = DataTable(
      "Looking up 1,000 tokens, microseconds",
      [.number("Tokens in a block"), .number("hashing alone"), .number("in RAM"), .number("on disk")])
    let rows = measured.figures.map { figure -> StackRows.Row in
      func text(_ value: Double) -> String { Figures.decimal(value, digits: value < 100 ? 1 : 0) }
      table.append([
        Figures.html(count: figure.blockTokenCount), "\(text(figure.hashingMicroseconds))",
        "\(text(figure.memoryMicroseconds))", "\(text(figure.diskMicroseconds))",
      ])
      let hashing = min(figure.hashingMicroseconds, figure.diskMicroseconds)
      return StackRows.Row(
        name: "\(Figures.count(figure.blockTokenCount, "token"))",
        parts: [("t1", hashing), ("t2", figure.diskMicroseconds - hashing)],
        figure: "\(text(figure.diskMicroseconds))\u{a0}µs")
    }
    return Figure.html(
      "Finding a prompt on disk",
      note: """
        For 1,000 of \(Figures.count(LookupMeasurement.tokenCount)) stored tokens, none of them in RAM; the file’s \
        pages are in the system’s cache.
        """,
      drawing: StackRows(rows: rows).html + Legend.html([("t1", "hashing"), ("t2", "searching")]), table: table.html)
  }

  private static func compression(_ measured: CodecMeasurement) -> HTML {
    var table = DataTable(
      "Bytes of a token by block size",
      [
        .number("Tokens in a block"), .number("rows"), .number("frame"), .number("with padding"),
        .number("rows / all"),
      ])
    let rows = measured.figures.map { figure -> StackRows.Row in
      let ratio = Figures.decimal(Double(measured.tokenByteCount) / figure.diskByteCount, digits: 3)
      let (frame, disk) = (Int(figure.frameByteCount.rounded()), Int(figure.diskByteCount.rounded()))
      table.append([
        Figures.html(count: figure.blockTokenCount), Figures.html(count: measured.tokenByteCount),
        Figures.html(count: frame), Figures.html(count: disk), "\(ratio)\u{a0}×",
      ])
      return StackRows.Row(
        name: "\(Figures.count(figure.blockTokenCount, "token"))",
        parts: [("t1", figure.frameByteCount), ("hatched", figure.diskByteCount - figure.frameByteCount)],
        figure: "\(Figures.bytes(disk))", note: "\(ratio)\u{a0}×")
    }
    let source: HTML =
      measured.source.map { "of session “\(StoreText.visible($0))”" } ?? "made up to resemble keys and values"
    return Figure.html(
      "A token on disk",
      note: """
        Rows \(source), \(Figures.count(measured.tokenCount, "token")) of \
        \(Figures.count(measured.planeCount, "plane")); a token’s rows are \(Figures.bytes(measured.tokenByteCount)).
        """,
      drawing: StackRows(rows: rows).html
        + Legend.html([("t1", "its part of the frame, header included"), ("hatched", "padding")]),
      table: table.html)
  }

  private static func codecTime(_ measured: CodecMeasurement) -> HTML {
    var table = DataTable(
      "The codec by block size, 10⁹ bytes of rows a second",
      [.number("Tokens in a block"), .number("encode"), .number("decode")])
    let bars = measured.figures.map { figure -> BarList.Bar in
      let decode = Figures.decimal(figure.decodeRate, digits: 2)
      let encode = Figures.decimal(figure.encodeRate, digits: 2)
      table.append([Figures.html(count: figure.blockTokenCount), "\(encode)", "\(decode)"])
      return BarList.Bar(
        "\(Figures.count(figure.blockTokenCount, "token"))", Int(figure.decodeRate * 1000),
        figure: "\(decode)\u{a0}GB/s", note: "encode \(encode)")
    }
    return Figure.html(
      "Decoding blocks", note: "Bytes of rows a second, on one thread.",
      drawing: BarList(bars, isCompact: true).html, table: table.html)
  }
}
