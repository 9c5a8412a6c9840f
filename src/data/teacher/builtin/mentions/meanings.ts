/**
 * What parameters that are on or off mean to people, who hardly ever say the parameter's name: `good_for_kids` is "we are
 * bringing the children", `free_entry` is "no entrance fee". One row a meaning, read against the name in words; first match wins.
 */
import { after, alone, before, type Mention } from "./mention.ts";

interface Meaning {
  /** Against the name in words. */
  readonly name: RegExp;
  readonly yes: readonly Mention[];
  readonly no: readonly Mention[];
  /** That it is all the same, where the list of values has one for that. */
  readonly either?: readonly Mention[];
  /** The name says the opposite: `non_smoking`. */
  readonly opposite?: RegExp;
}

const MEANINGS: readonly Meaning[] = [
  {
    name: /\b(good|suitable|fit) for (kids|children|families)\b|\b(kid|child|children|family) ?(friendly|s? ?welcome)?$|\bkids?\b|child friendly|family friendly/,
    yes: [
      ...before(5, "child-friendly", "kid-friendly", "family-friendly", "kids friendly"),
      ...after(
        7,
        "suitable for children",
        "that are good for kids",
        "that are suitable for kids",
        "for the whole family",
        "that children would enjoy",
        "where I can take my kids",
        "for my kids",
        "for a family outing",
        "suitable for families",
        "with my children",
        "that's great for kids",
      ),
      ...alone(
        4,
        "I'm bringing my kids",
        "My children are coming along",
        "It should be suitable for children",
        "We'll have the kids with us",
        "I'm going with my grandchildren",
        "It has to be something for children",
      ),
    ],
    no: [
      ...after(3, "not meant for children", "that are not for kids", "for adults only", "without children around"),
      ...alone(1.5, "It should be nothing for children", "No kids' places please"),
    ],
    either: [...after(1, "for children or not"), ...alone(2, "It need not be for children", "I don't mind whether it is meant for kids")],
  },
  {
    name: /\bfree (entry|entrance|admission|only)\b|^free$|\bno (entry|entrance) fee|\bfree of charge/,
    yes: [
      ...before(3, "free"),
      ...after(
        7,
        "with free entry",
        "with no entry fee",
        "without an entrance fee",
        "that are free to enter",
        "free of charge",
        "that cost nothing",
        "with no entry fees",
        "that has no entry fee",
        "that has no entrance fee",
        "with no admission to pay",
        "that have no admission fee",
        "with free admission",
        "that don't charge anything",
      ),
      ...alone(
        3,
        "It should be free",
        "I don't want to pay to get in",
        "There should be no entry fee",
        "Hopefully something that's free",
        "I'd prefer free entry",
        "I have no money to spend on tickets",
        "It should have no entry fee",
        "I'd prefer one without an entry fee",
      ),
    ],
    no: [
      ...after(3, "with an entry fee", "that charge an entrance fee", "where you pay to get in", "that cost something", "that need a ticket"),
      ...alone(1.5, "Paid entry only", "They should charge for entry"),
    ],
    either: [
      ...after(1, "free or not"),
      ...alone(
        3,
        "I don't mind paying to get in",
        "I don't mind if there's an entrance fee",
        "It may cost something or not",
        "The price of entry doesn't matter",
      ),
    ],
  },
  {
    name: /\b(pets?|dogs?|animals?)\b/,
    yes: [
      ...before(3, "pet-friendly", "dog-friendly"),
      ...after(5, "that allow pets", "where pets are welcome", "where I can bring my dog", "that take pets", "with pets allowed"),
      ...alone(4, "I'm bringing my dog", "We have a cat", "Pets have to be allowed", "My dog is coming along", "There are pets at home"),
    ],
    no: [
      ...after(3, "without pets", "where no pets are allowed", "with no animals around"),
      ...alone(1.5, "I'm allergic to dogs, so no pets", "Pets must not be allowed", "There are no pets"),
    ],
  },
  {
    name: /\bsmok(ing|er)/,
    opposite: /\b(non|no) ?smok/,
    yes: [
      ...before(4, "smoking"),
      ...after(4, "that allows smoking", "where smoking is allowed", "where I can smoke", "with smoking allowed"),
      ...alone(2, "I smoke", "It has to allow smoking", "Smoking should be allowed"),
    ],
    no: [
      ...before(4, "non-smoking", "smoke-free"),
      ...after(3, "where smoking is not allowed", "that doesn't allow smoking", "with no smoking"),
      ...alone(2, "Non-smoking, please", "I don't smoke and don't want smokers around", "It should be non-smoking"),
    ],
    either: [...after(1, "smoking or non-smoking"), ...alone(3, "I don't care whether smoking is allowed", "Smoking or not, I don't mind")],
  },
  {
    name: /\b(non ?stop|direct)\b/,
    yes: [
      ...before(4, "direct", "nonstop", "non-stop"),
      ...after(4, "without stops", "with no layovers", "without changing", "with no stopovers"),
      ...alone(2, "I don't want any stops", "It has to be direct", "No layovers please"),
    ],
    no: [...after(2, "with stops", "with a stopover if need be"), ...alone(2, "Stops are fine", "It need not be direct", "I don't mind layovers")],
  },
  {
    name: /\b(refundable|free cancell?ation|cancell?able)\b/,
    yes: [
      ...before(2, "refundable"),
      ...after(4, "with free cancellation", "that I can cancel for free", "that can be refunded"),
      ...alone(3, "I may have to cancel", "I want my money back if I cancel", "It has to be refundable"),
    ],
    no: [...before(2, "non-refundable"), ...after(3, "that need not be refundable", "without free cancellation"), ...alone(1, "It need not be refundable")],
  },
  {
    name: /\b(outdoors?( seating)?|outside seating|terrace|patio)\b/,
    yes: [
      ...after(5, "with seats outside", "with a terrace", "where we can sit outside", "with outdoor seating", "with tables outdoors"),
      ...alone(3, "We'd like to sit outside", "I want to eat outdoors", "It should have a terrace"),
    ],
    no: [...after(3, "with seats inside", "indoors", "without outdoor seating"), ...alone(2, "We'd rather sit inside", "Not outside, please")],
  },
  {
    name: /\bin stock|available only\b/,
    yes: [
      ...after(5, "that are in stock", "that I can have right away", "that are available now"),
      ...alone(3, "Only what's in stock", "I need it right away", "Leave out what is sold out"),
    ],
    no: [...after(3, "even if they are sold out", "whether in stock or not"), ...alone(1, "Sold-out ones are fine too")],
  },
  {
    name: /\b(laundry|washing machine)\b/,
    yes: [
      ...after(5, "with laundry service", "with a laundry", "that has laundry service", "where I can do my laundry", "with laundry included"),
      ...alone(3, "I need to do laundry there", "Laundry service is a must", "It should have laundry service"),
    ],
    no: [...after(3, "without laundry service", "with no laundry"), ...alone(1.5, "I don't need laundry service")],
    either: [...after(1, "with or without laundry service"), ...alone(2, "I don't care about the laundry", "Laundry service doesn't matter")],
  },
  {
    name: /\b(wi ?fi|internet)\b/,
    yes: [...after(5, "with wifi", "with internet", "that has wifi"), ...alone(3, "I need wifi", "I have to be online", "It must have internet")],
    no: [...after(3, "without wifi", "with no internet"), ...alone(1, "I don't need wifi")],
  },
  {
    name: /\b(wheelchair|accessible|accessibility|step free)\b/,
    yes: [
      ...before(2, "accessible"),
      ...after(4, "with wheelchair access", "that a wheelchair can get into"),
      ...alone(3, "I use a wheelchair", "It has to be accessible", "My mother can't climb stairs"),
    ],
    no: [...after(3, "with or without wheelchair access"), ...alone(1, "It need not be accessible")],
  },
  {
    name: /\b(alcohol|wine|beer|bar)\b/,
    yes: [...after(5, "that serve alcohol", "where I can get a drink", "with a bar"), ...alone(2, "We'd like some wine with it", "It should serve alcohol")],
    no: [...after(4, "that serve no alcohol", "without alcohol"), ...alone(2, "No alcohol please", "It should not serve alcohol")],
  },
  {
    name: /\blive music\b/,
    yes: [...after(4, "with live music", "where a band plays"), ...alone(2, "We want to hear live music", "There should be live music")],
    no: [...after(3, "without live music"), ...alone(2, "No live music please", "It should be quiet, without live music")],
  },
  {
    name: /\b(gift ?wrap(ped|ping)?|is gift|as gift|gift)\b/,
    yes: [
      ...after(4, "wrapped as a gift", "as a gift", "in gift wrapping"),
      ...alone(3, "It's a present", "Please wrap it as a gift", "It's for my wife's birthday"),
    ],
    no: [...after(3, "without gift wrapping"), ...alone(2, "It's no present", "No gift wrapping needed")],
  },
  {
    name: /\b(private|confidential)\b/,
    yes: [
      ...before(3, "private"),
      ...after(3, "that nobody else can see", "for my eyes only"),
      ...alone(2, "Nobody else should see it", "Keep it private", "It should be private"),
    ],
    no: [...before(2, "public"), ...after(2, "that everybody can see"), ...alone(2, "Everybody may see it", "Make it public", "It need not be private")],
  },
  {
    name: /\b(notify|notification|send email|send notification)\b/,
    yes: [...after(3, "and let them know", "and notify everyone"), ...alone(4, "Tell everybody about it", "Let them know", "Send them a notification")],
    no: [
      ...after(3, "without telling anyone", "quietly, without a notification"),
      ...alone(4, "Don't notify anyone", "Nobody needs to be told", "No notifications please"),
    ],
  },
  {
    name: /\b(recursive|subfolders|subdirectories)\b/,
    yes: [
      ...after(5, "including subfolders", "and everything below it", "with all subfolders", "recursively"),
      ...alone(2, "Look in the subfolders too", "Go all the way down"),
    ],
    no: [...after(4, "without subfolders", "not its subfolders", "at the top level only"), ...alone(2, "Don't look in subfolders")],
  },
  {
    name: /\b(overwrite|replace existing|force)\b/,
    yes: [
      ...after(3, "and overwrite what is there", "even if it already exists", "replacing the old one"),
      ...alone(3, "Overwrite it if it exists", "The old one can go", "Replace what's there"),
    ],
    no: [...after(3, "without overwriting anything", "unless it already exists"), ...alone(3, "Don't overwrite anything", "Keep the old one if there is one")],
  },
  {
    name: /\b(verbose|detailed|include details|with details)\b/,
    yes: [...after(4, "in detail", "with all the details", "with full details"), ...alone(3, "I need all the details", "Be thorough", "Tell me everything")],
    no: [...after(4, "without details", "in short", "just the basics"), ...alone(2, "A summary will do", "No details needed", "Keep it short")],
  },
  {
    name: /\b(include|show|with) (completed|closed|archived|finished|done)\b/,
    yes: [
      ...after(4, "including the finished ones", "also the completed ones", "past and present"),
      ...alone(3, "Include those that are done", "I want the closed ones too"),
    ],
    no: [...after(4, "without the finished ones", "only the open ones"), ...alone(3, "Leave out what's done", "Not the completed ones")],
  },
];

/** What people say of a parameter that is on or off (or `either`) instead of its name, in words; empty where no row fits. */
export function meaningsOf(words: readonly string[], yes: boolean | "either"): readonly Mention[] {
  const name = words.join(" ").toLowerCase();
  const meaning = MEANINGS.find((m) => m.name.test(name));
  if (yes === "either") return meaning?.either ?? [];
  if (meaning === undefined) return [];
  return yes === !(meaning.opposite?.test(name) ?? false) ? meaning.yes : meaning.no;
}

/** What is said of a choice that is left open: `any airline is fine`. */
export const noPreference = (label: string): Mention[] => [
  ...after(3, `with any ${label}`, `with no preference for the ${label}`),
  ...alone(
    6,
    `Any ${label} is fine`,
    `I don't care about the ${label}`,
    `The ${label} doesn't matter`,
    `I have no preference for the ${label}`,
    `I'm not too concerned about the ${label}`,
    `I don't mind which ${label}`,
    `No ${label} preference`,
  ),
];
