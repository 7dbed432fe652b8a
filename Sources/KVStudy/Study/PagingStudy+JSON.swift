import KVBlocks

extension PagingStudy {
  /// Described in data/schemas/study-paging.schema.json.
  package var json: JSONValue {
    [
      "layout": layout.json,
      "workload": workload.json,
      "model": [
        "capacity": [
          "tokens": .integer(model.capacityTokenCount),
          "bytes": .integer(model.capacityTokenCount * layout.tokenByteCount),
          "chosen": .bool(capacityIsChosen),
        ],
        "busiest_hour_tokens": .integer(busiestHourTokenCount),
        "maximum_length": .integer(model.maximumTokenCount),
        "token_time_us": .integer(model.stepMicroseconds),
        "prefill_rate": .integer(model.prefillRate),
        "patience_us": .integer(model.patienceMicroseconds),
      ],
      "policies": JSONValue(outcomes),
      "scenario": scenario.json,
      "measured": measurements?.json ?? .null,
      "recommendation": recommendation.json,
    ]
  }
}

extension StudyLayout: JSONConvertible {
  package var json: JSONValue {
    [
      "layers": .integer(layerCount), "kv_heads": .integer(keyValueHeadCount), "head_size": .integer(headSize),
      "query_heads": .integer(queryHeadCount), "type": .string(elementType.name),
      "token_bytes": .integer(tokenByteCount), "store": JSONValue(source), "heads_assumed": .bool(headsAreAssumed),
    ]
  }
}

extension ServingWorkload: JSONConvertible {
  package var json: JSONValue {
    [
      "name": .string(name), "requests": .integer(requests.count),
      "tokens": [
        "prompt": .integer(promptTokenCount), "output": .integer(outputTokenCount),
        "longest": .integer(longestTokenCount),
      ],
      "span_us": .integer(spanMicroseconds),
      "prefix_blocks": [
        "tokens": .integer(prefixBlockTokenCount), "references": .integer(prefixBlocks.count),
        "unique": .integer(uniquePrefixBlockCount),
      ],
    ]
  }
}

extension MemoryIntegral {
  /// Rows times steps.
  fileprivate var json: JSONValue {
    [
      "used": .integer(used), "reserved": .integer(reserved), "inside": .integer(inside), "free": .integer(free),
      "outside": .integer(outside), "held": .integer(held), "seen": .integer(seen), "steps": .integer(stepCount),
    ]
  }
}

extension PolicyOutcome: JSONConvertible {
  package var json: JSONValue {
    var kind: [String: JSONValue] = [:]
    switch policy {
    case .contiguous(let reach, let fit):
      kind = ["kind": "contiguous", "reach": .string(reach.name), "fit": .string(fit.rawValue)]
    case .paged(let count, let shares):
      kind = ["kind": "paged", "block_tokens": .integer(count), "shares_prefixes": .bool(shares)]
    }
    kind["name"] = .string(policy.name)
    return [
      "policy": .object(kind),
      "share": [
        "used": .number(share(\.used)), "reserved": .number(share(\.reserved)), "inside": .number(share(\.inside)),
        "outside": .number(share(\.outside)), "free": .number(share(\.free) - share(\.outside)),
        "unused_of_taken": .number(unusedShareOfTaken),
      ],
      "row_steps": sums.json,
      "peak": ["used": .integer(peakUsed), "taken": .integer(peakTaken), "held": .integer(peakHeld)],
      "held_mean": .number(meanHeld),
      "requests": [
        "admitted": .integer(admittedCount), "refused": .integer(refusedCount), "never_fit": .integer(neverFitCount),
        "refused_though_free": [
          "count": .integer(refusedThoughFree), "largest_free_tokens": .integer(largestFreeRefused),
          "largest_free_share": .number(Double(largestFreeRefused) / Double(max(1, capacityTokenCount))),
          "needed_tokens": .integer(largestFreeRefusedNeed),
        ],
        "preemptions": .integer(preemptionCount), "preempted_tokens": .integer(preemptedTokenCount),
        "served_output_tokens": .integer(servedTokenCount), "waited_us": .integer(waitedMicroseconds),
      ],
      "timeline": ["part_steps": .integer(timeline.partStepCount), "parts": .array(timeline.parts.map(\.json))],
    ]
  }
}

extension AllocationPolicy.Reach {
  var name: String {
    switch self {
    case .maximum: "maximum"
    case .powerOfTwo: "power_of_two"
    case .exact: "exact"
    }
  }
}

extension FragmentationScenario: JSONConvertible {
  package var json: JSONValue {
    [
      "name": .string(Self.name), "capacity_tokens": .integer(model.capacityTokenCount),
      "short_requests": .integer(shortRequests.count),
      "long_request": [
        "prompt": .integer(longRequest.promptTokenCount), "output": .integer(longRequest.outputTokenCount),
      ],
      "verdicts": .array(
        verdicts.map { verdict in
          [
            "policy": .string(verdict.policy.name), "admitted": .bool(verdict.isAdmitted),
            "short_requests_admitted": .integer(verdict.admittedCount),
            "free_tokens": .integer(verdict.freeTokenCount), "holes": .integer(verdict.holeCount),
            "largest_hole_tokens": .integer(verdict.largestHoleTokenCount),
            "wanted_tokens": .integer(verdict.wantedTokenCount), "given_pieces": .integer(verdict.given.count),
          ]
        }),
    ]
  }
}

extension Recommendation: JSONConvertible {
  package var json: JSONValue {
    [
      "block_tokens": .integer(blockTokenCount), "measured": .bool(isMeasured),
      "margin": .number(Self.margin), "waste_limit": .number(Self.wasteLimit),
      "costs": .array(
        costs.map { cost in
          func number(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
          return [
            "block_tokens": .integer(cost.blockTokenCount), "waste": .number(cost.waste),
            "attention": number(cost.attention), "bytes": number(cost.bytes), "lookup": number(cost.lookup),
            "total": .number(cost.total),
          ]
        }),
    ]
  }
}
