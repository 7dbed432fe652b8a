import KVInspection

/// What a row of memory is, as the page draws and explains it.
enum MemoryUse: CaseIterable {
  case used, reserved, inside, outside, free

  var name: HTML {
    switch self {
    case .used: "used"
    case .reserved: "reserved"
    case .inside: "wasted inside"
    case .outside: "wasted outside"
    case .free: "free"
    }
  }

  /// The drawing's class: a colour or a pattern, so that neighbours differ without colour too.
  var fill: String {
    switch self {
    case .used: "t1"
    case .reserved: "t3"
    case .inside: "hatched"
    case .outside: "dotted"
    case .free: "hollow"
    }
  }

  var meaning: HTML {
    switch self {
    case .used: "rows that hold a token"
    case .reserved: "taken, and will hold a token later"
    case .inside: "taken, and never will"
    case .outside: "free, and enough for the first in the queue, but in no hole that it fits"
    case .free: "the rest"
    }
  }

  func sum(_ sums: MemoryIntegral) -> Int {
    switch self {
    case .used: sums.used
    case .reserved: sums.reserved
    case .inside: sums.inside
    case .outside: sums.outside
    case .free: sums.free - sums.outside
    }
  }

  static var legend: HTML {
    Legend.html(allCases.map { ($0.fill, "\($0.name): \($0.meaning)") })
  }
}

/// What the fills of a drawing mean.
enum Legend {
  static func html(_ entries: [(fill: String, text: HTML)]) -> HTML {
    let items = entries.map { entry -> HTML in
      """
      <span class="key"><svg aria-hidden="true" width="14" height="14">\
      <rect class="\(entry.fill)" width="14" height="14"/></svg> \(entry.text)</span>
      """
    }
    return "<p class=\"legend\">\(items)</p>\n"
  }
}
