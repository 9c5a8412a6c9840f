/**
 * Things that people ask assistants to do, by the words that show which tool could serve them. A
 * toolset that speaks of none of these words offers no such action: then the request is out of scope.
 */

export interface Chore {
  /** Verb phrase in the base form, with its values: `order a pizza with mushrooms`. */
  readonly say: readonly string[];
  /** Words whose presence in a toolset means that it might be served. */
  readonly needs: readonly string[];
}

const chore = (needs: string, ...say: string[]): Chore => ({ needs: needs.split(" "), say });

export const CHORES: readonly Chore[] = [
  chore("food pizza restaurant order delivery", "order a pizza with mushrooms", "get a large salad delivered to my office", "order sushi for four people"),
  chore(
    "restaurant table reservation reserve book dining",
    "book a table for two at an Italian place",
    "reserve a table for six on Friday evening",
    "get us a table by the window tonight",
  ),
  chore("email mail message send", "send an email to Anna about the meeting", "email the report to my boss", "write an email to the landlord and send it"),
  chore("sms message text send chat", "text my brother that I'm late", "send a message to the team", "message Omar on his phone"),
  chore("call phone dial contact", "call my mother", "ring the dentist's office", "dial the front desk"),
  chore("light lamp device appliance home switch control", "turn off the lights in the kitchen", "dim the bedroom lamp", "switch on the porch light"),
  chore(
    "thermostat heating temperature device appliance home control",
    "set the thermostat to 21 degrees",
    "turn up the heating",
    "switch off the air conditioning",
  ),
  chore("music song play playlist track artist media", "play some jazz", "put on my workout playlist", "skip to the next song"),
  chore("alarm timer reminder clock", "set an alarm for seven", "start a timer for ten minutes", "wake me up at half past six"),
  chore("reminder task todo calendar event note", "remind me to water the plants", "add milk to my shopping list", "put a reminder in for Tuesday"),
  chore("calendar event meeting appointment schedule", "schedule a meeting with Priya", "move my appointment to Thursday", "block two hours in my calendar"),
  chore("bank money transfer payment account pay", "transfer fifty dollars to Tom", "pay my electricity bill", "check the balance of my account"),
  chore("stock share trade market invest", "buy ten shares of Apple", "sell my bonds", "place an order for gold"),
  chore("flight airline ticket travel trip plane", "book a flight to Madrid", "change my flight to the evening", "check me in for my flight"),
  chore("hotel room accommodation house lodging stay", "book a hotel room in Vienna", "cancel my hotel reservation", "extend my stay by one night"),
  chore("taxi ride cab uber transport", "call me a taxi", "get me a ride to the station", "order a cab for eight o'clock"),
  chore("train bus ticket transport route", "buy a train ticket to Lyon", "get me a seat on the night bus", "renew my bus pass"),
  chore("photo picture image camera draw", "take a picture", "draw a picture of a castle", "edit my holiday photo"),
  chore("translate translation language", "translate this contract into German", "turn this letter into Spanish"),
  chore("print printer document", "print my boarding pass", "print ten copies of the flyer"),
  chore("door lock security device home", "lock the front door", "open the garage", "let the visitor in"),
  chore("car vehicle tesla device", "start my car", "find out where I parked", "book a service for my car"),
  chore("doctor health appointment patient medical", "make an appointment with a doctor", "refill my prescription"),
  chore("shop product cart buy order store purchase", "buy a pair of running shoes", "add batteries to my cart", "return the jacket I bought"),
  chore("package parcel shipment delivery order track", "track my parcel", "send a package to Lima", "schedule a pickup for my box"),
  chore("movie film video stream watch ticket", "stream a movie for tonight", "buy two cinema tickets", "record the football match"),
  chore("post social tweet publish media", "post this on social media", "share my photo with my followers", "delete my last post"),
  chore("file document folder directory", "delete all my files", "back up my documents", "open the spreadsheet from yesterday"),
  chore("database server deploy host", "restart the web server", "deploy the new version", "drop the old database"),
  chore("job hire recruit applicant application", "apply for that job for me", "send my CV to the company"),
  chore("password account login user", "reset my password", "delete my account", "log me out everywhere"),
  chore("video call meeting conference zoom", "start a video call with the team", "record this meeting"),
  chore("vacuum clean robot appliance device home", "start the vacuum cleaner", "run the dishwasher", "water the garden"),
  chore("insurance policy claim", "file an insurance claim", "renew my insurance"),
  chore("visa passport government tax form", "file my tax return", "renew my passport", "apply for a visa"),
  chore("gift flower delivery shop", "send flowers to my aunt", "order a birthday cake"),
];

/** What people add to anything that exists, and few tools can do with it: near misses. `{O}` is the tool's object. */
export const MISUSES: readonly { readonly say: string; readonly needs: readonly string[] }[] = [
  { say: "email {O} to my boss", needs: ["email", "mail", "send"] },
  { say: "print {O} on the office printer", needs: ["print"] },
  { say: "post {O} on social media", needs: ["post", "publish", "share"] },
  { say: "text {O} to my sister", needs: ["message", "sms", "send", "text"] },
  { say: "translate {O} into Italian", needs: ["translate", "language"] },
  { say: "fax {O} to the head office", needs: ["fax", "send"] },
  { say: "make a video about {O}", needs: ["video"] },
  { say: "read {O} aloud on the kitchen speaker", needs: ["speaker", "audio", "play"] },
  { say: "set an alarm for {O}", needs: ["alarm", "reminder", "alert"] },
];

/** Shapes of such a request; `{C}` is the verb phrase, `{CING}` its -ing form. */
export const CHORE_SHAPES: readonly string[] = [
  "(please|can you|could you|would you|I need you to|I'd like you to|I want you to|go ahead and|just|now|quickly) {C}",
  "{C}(| please| for me| now)",
  "(I want|I need|I'd like|I'm trying|I have) to {C}",
  "(would you mind|how about|any chance of) {CING}?",
  "(is it possible|is there a way|are you able|would it be possible) to {C}?",
  "(it would be great if you could|it would help if you could|I was hoping you could|maybe you can) {C}",
  "(help me|let's|don't forget to|remember to) {C}",
  "(I'm busy|my hands are full|I'm in the car|I'm running late), (can you|could you|please) {C}",
];

/** Honest refusals; `{CAN}` says what the tools can do, `{C}` what was asked, `{CING}` its -ing form. */
export const REFUSALS: readonly string[] = [
  "I can't {C}. What I can do is {CAN}.",
  "I'm sorry, but I have no way to {C}. I can {CAN}, though.",
  "That's outside what I can do: I have no tool for {CING}. I can {CAN}.",
  "Unfortunately I'm not able to {C}. I can help if you want me to {CAN}.",
  "I can't do that, sorry. My tools only let me {CAN}.",
  "Sorry, {CING} isn't something I can do. I can {CAN} if that helps.",
  "None of my tools can {C}. Let me know if you'd like me to {CAN}.",
  "I don't have a tool for that. I can {CAN} instead.",
  "I'm afraid I can't {C}. With the tools I have, I can {CAN}.",
  "No, that's not possible for me. I'm set up to {CAN}.",
];
