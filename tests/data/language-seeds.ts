/**
 * Conversations in several languages as a hosted teacher writes them, for tests of what varies them: the same requests to the same tools in each, formal ones,
 * informal ones and some that speak to nobody; values in local form, in quotes and as words.
 */
import type { Slot } from "../../src/data/types.ts";
import { toolset } from "./fixtures.ts";

const object = (properties: Record<string, object>, required: string[]) => ({ type: "object", properties, required });

export const seedTools = toolset([
  {
    name: "get_weather",
    description: "Get the current weather in a city.",
    input_schema: object({ city: { type: "string", description: "Name of the city." } }, ["city"]),
  },
  {
    name: "book_hotel",
    description: "Books a hotel room.",
    input_schema: object(
      {
        city: { type: "string", description: "Name of the city." },
        check_in: { type: "string", format: "date", description: "Day of arrival." },
        check_out: { type: "string", format: "date", description: "Day of departure." },
        guests: { type: "integer", minimum: 1, maximum: 8, description: "Number of guests." },
      },
      ["city", "check_in"],
    ),
  },
  {
    name: "create_task",
    description: "Creates a task in the list of tasks.",
    input_schema: object({ title: { type: "string", description: "Title of the task." }, due_date: { type: "string", format: "date" } }, ["title"]),
  },
  {
    name: "get_order_status",
    description: "Get the status of an order.",
    input_schema: object({ order_id: { type: "string", description: "Identifier of the order." } }, ["order_id"]),
  },
  {
    name: "set_temperature",
    description: "Sets the temperature of a room.",
    input_schema: object(
      {
        room: { type: "string", enum: ["kitchen", "bedroom", "Küche", "cuisine", "cocina", "cucina", "cozinha", "keuken"] },
        celsius: { type: "number", minimum: 5, maximum: 30 },
      },
      ["room", "celsius"],
    ),
  },
  {
    name: "find_contact",
    description: "Finds a person in the contacts.",
    input_schema: object({ name: { type: "string", description: "Name of the person." } }, ["name"]),
  },
]);

interface Seed {
  readonly tool: string | null;
  readonly scenario: Slot["scenario"];
  readonly kind: string;
  readonly user: string;
  readonly args?: Readonly<Record<string, string | number>>;
  readonly result?: string;
  readonly answer: string;
}

const call = (tool: string, user: string, args: Seed["args"], result: string, answer: string): Seed => ({
  tool,
  scenario: "standard",
  kind: "plain",
  user,
  args: args ?? {},
  result,
  answer,
});
const failing = (tool: string, user: string, args: Seed["args"], result: string, answer: string): Seed => ({
  ...call(tool, user, args, result, answer),
  scenario: "error",
  kind: "error",
});
const asking = (tool: string, user: string, answer: string): Seed => ({ tool, scenario: "no_tool", kind: "missing_required", user, answer });

export const SEEDS: Readonly<Record<string, readonly Seed[]>> = {
  de: [
    call(
      "get_weather",
      "Wie ist das Wetter in München?",
      { city: "München" },
      '{"city":"München","temperature_c":21,"condition":"sunny"}',
      "In München sind es 21 Grad, der Himmel ist klar (sunny).",
    ),
    call(
      "get_weather",
      "Zeig mir bitte das aktuelle Wetter in Köln.",
      { city: "Köln" },
      '{"city":"Köln","temperature_c":9,"condition":"rain"}',
      "In Köln regnet es (rain) bei 9 Grad.",
    ),
    call(
      "book_hotel",
      "Ich brauche ein Hotel in Leipzig vom 3. Mai 2026 bis 6. Mai 2026 für zwei Personen.",
      { city: "Leipzig", check_in: "2026-05-03", check_out: "2026-05-06", guests: 2 },
      '{"city":"Leipzig","booking":"H-7712"}',
      "Das Hotel in Leipzig ist gebucht, die Nummer ist H-7712.",
    ),
    call(
      "book_hotel",
      "Könnten Sie mir ein Zimmer in Wien ab dem 12.06.2026 buchen?",
      { city: "Wien", check_in: "2026-06-12" },
      '{"booking":"H-1001"}',
      "Ihr Zimmer ist gebucht: H-1001.",
    ),
    call(
      "create_task",
      "Leg bitte eine Aufgabe „Zahnarzt anrufen“ an, fällig am 14. März 2026",
      { title: "Zahnarzt anrufen", due_date: "2026-03-14" },
      '{"id":"T-5"}',
      "Die Aufgabe „Zahnarzt anrufen“ ist angelegt (T-5).",
    ),
    call(
      "get_order_status",
      "Wo bleibt meine Bestellung AB-48213? Kannst du mal nachsehen?",
      { order_id: "AB-48213" },
      '{"order_id":"AB-48213","status":"shipped","carrier":"BlueLine"}',
      "Die Bestellung AB-48213 ist unterwegs (shipped) mit BlueLine.",
    ),
    call(
      "set_temperature",
      "Stell die Heizung in der Küche auf 21,5 Grad",
      { room: "Küche", celsius: 21.5 },
      '{"room":"Küche","celsius":21.5}',
      "In der Küche sind jetzt 21,5 Grad eingestellt.",
    ),
    call(
      "find_contact",
      "Wie lautet die Telefonnummer von Sabine Fischer?",
      { name: "Sabine Fischer" },
      '{"name":"Sabine Fischer","phone":"+49 30 5551"}',
      "Die Nummer von Sabine Fischer ist +49 30 5551.",
    ),
    failing(
      "get_weather",
      "Regnet es gerade in Hamburg?",
      { city: "Hamburg" },
      "service unavailable",
      "Das konnte ich für Hamburg leider nicht abrufen, der Dienst ist nicht erreichbar.",
    ),
    asking("book_hotel", "Ich möchte ein Hotelzimmer buchen.", "Gern. In welcher Stadt und ab wann?"),
  ],
  fr: [
    call(
      "get_weather",
      "Quel temps fait-il à Lyon ?",
      { city: "Lyon" },
      '{"city":"Lyon","temperature_c":21,"condition":"sunny"}',
      "À Lyon il fait 21 degrés et le ciel est dégagé (sunny).",
    ),
    call(
      "get_weather",
      "Montre-moi la météo de Nantes s'il te plaît.",
      { city: "Nantes" },
      '{"city":"Nantes","temperature_c":9,"condition":"rain"}',
      "À Nantes il pleut (rain), 9 degrés.",
    ),
    call(
      "book_hotel",
      "J'ai besoin d'un hôtel à Bordeaux du 3 mai 2026 au 6 mai 2026 pour deux personnes.",
      { city: "Bordeaux", check_in: "2026-05-03", check_out: "2026-05-06", guests: 2 },
      '{"city":"Bordeaux","booking":"H-7712"}',
      "L'hôtel à Bordeaux est réservé sous le numéro H-7712.",
    ),
    call(
      "book_hotel",
      "Pourriez-vous me réserver une chambre à Genève à partir du 12/06/2026 ?",
      { city: "Genève", check_in: "2026-06-12" },
      '{"booking":"H-1001"}',
      "Votre chambre est réservée : H-1001.",
    ),
    call(
      "create_task",
      "Crée une tâche « Appeler le dentiste » pour le 14 mars 2026",
      { title: "Appeler le dentiste", due_date: "2026-03-14" },
      '{"id":"T-5"}',
      "La tâche « Appeler le dentiste » est créée (T-5).",
    ),
    call(
      "get_order_status",
      "Où en est ma commande AB-48213 ? Tu peux regarder ?",
      { order_id: "AB-48213" },
      '{"order_id":"AB-48213","status":"shipped","carrier":"BlueLine"}',
      "La commande AB-48213 est en route (shipped) avec BlueLine.",
    ),
    call(
      "set_temperature",
      "Règle le chauffage de la cuisine à 21,5 degrés",
      { room: "cuisine", celsius: 21.5 },
      '{"room":"cuisine","celsius":21.5}',
      "Le chauffage de la cuisine est réglé sur 21,5 degrés.",
    ),
    call(
      "find_contact",
      "Quel est le numéro de téléphone de Sophie Moreau ?",
      { name: "Sophie Moreau" },
      '{"name":"Sophie Moreau","phone":"+33 1 5551"}',
      "Le numéro de Sophie Moreau est le +33 1 5551.",
    ),
    failing(
      "get_weather",
      "Est-ce qu'il pleut en ce moment à Rennes ?",
      { city: "Rennes" },
      "service unavailable",
      "Je n'ai malheureusement pas pu obtenir la météo de Rennes, le service est indisponible.",
    ),
    asking("book_hotel", "Je voudrais réserver une chambre d'hôtel.", "Volontiers. Dans quelle ville et à partir de quand ?"),
  ],
  es: [
    call(
      "get_weather",
      "¿Qué tiempo hace en Granada?",
      { city: "Granada" },
      '{"city":"Granada","temperature_c":21,"condition":"sunny"}',
      "En Granada hay 21 grados y cielo despejado (sunny).",
    ),
    call(
      "get_weather",
      "Muéstrame el tiempo actual en Vigo, por favor.",
      { city: "Vigo" },
      '{"city":"Vigo","temperature_c":9,"condition":"rain"}',
      "En Vigo llueve (rain) y hay 9 grados.",
    ),
    call(
      "book_hotel",
      "Necesito un hotel en Bilbao del 3 de mayo de 2026 al 6 de mayo de 2026 para dos personas.",
      { city: "Bilbao", check_in: "2026-05-03", check_out: "2026-05-06", guests: 2 },
      '{"city":"Bilbao","booking":"H-7712"}',
      "El hotel en Bilbao está reservado con el número H-7712.",
    ),
    call(
      "book_hotel",
      "¿Podría usted reservarme una habitación en Quito a partir del 12/06/2026?",
      { city: "Quito", check_in: "2026-06-12" },
      '{"booking":"H-1001"}',
      "Su habitación está reservada: H-1001.",
    ),
    call(
      "create_task",
      "Crea una tarea «Llamar al dentista» para el 14 de marzo de 2026",
      { title: "Llamar al dentista", due_date: "2026-03-14" },
      '{"id":"T-5"}',
      "La tarea «Llamar al dentista» está creada (T-5).",
    ),
    call(
      "get_order_status",
      "¿Dónde está mi pedido AB-48213? ¿Puedes mirarlo?",
      { order_id: "AB-48213" },
      '{"order_id":"AB-48213","status":"shipped","carrier":"BlueLine"}',
      "El pedido AB-48213 está en camino (shipped) con BlueLine.",
    ),
    call(
      "set_temperature",
      "Pon la calefacción de la cocina a 21,5 grados",
      { room: "cocina", celsius: 21.5 },
      '{"room":"cocina","celsius":21.5}',
      "La calefacción de la cocina está a 21,5 grados.",
    ),
    call(
      "find_contact",
      "¿Cuál es el teléfono de Lucía Navarro?",
      { name: "Lucía Navarro" },
      '{"name":"Lucía Navarro","phone":"+34 91 5551"}',
      "El teléfono de Lucía Navarro es +34 91 5551.",
    ),
    failing(
      "get_weather",
      "¿Está lloviendo ahora en Cádiz?",
      { city: "Cádiz" },
      "service unavailable",
      "Lo siento, no he podido consultar el tiempo en Cádiz porque el servicio no está disponible.",
    ),
    asking("book_hotel", "Quiero reservar una habitación de hotel.", "Claro. ¿En qué ciudad y a partir de cuándo?"),
  ],
  it: [
    call(
      "get_weather",
      "Che tempo fa a Bologna?",
      { city: "Bologna" },
      '{"city":"Bologna","temperature_c":21,"condition":"sunny"}',
      "A Bologna ci sono 21 gradi e il cielo è sereno (sunny).",
    ),
    call(
      "get_weather",
      "Mostrami il meteo di Torino per favore.",
      { city: "Torino" },
      '{"city":"Torino","temperature_c":9,"condition":"rain"}',
      "A Torino piove (rain), 9 gradi.",
    ),
    call(
      "book_hotel",
      "Ho bisogno di un albergo a Verona dal 3 maggio 2026 al 6 maggio 2026 per due persone.",
      { city: "Verona", check_in: "2026-05-03", check_out: "2026-05-06", guests: 2 },
      '{"city":"Verona","booking":"H-7712"}',
      "L'albergo a Verona è prenotato con il numero H-7712.",
    ),
    call(
      "book_hotel",
      "Potrebbe prenotarmi una camera a Pisa dal 12/06/2026?",
      { city: "Pisa", check_in: "2026-06-12" },
      '{"booking":"H-1001"}',
      "La Sua camera è prenotata: H-1001.",
    ),
    call(
      "create_task",
      "Crea un'attività «Chiamare il dentista» per il 14 marzo 2026",
      { title: "Chiamare il dentista", due_date: "2026-03-14" },
      '{"id":"T-5"}',
      "L'attività «Chiamare il dentista» è stata creata (T-5).",
    ),
    call(
      "get_order_status",
      "Dov'è il mio ordine AB-48213? Puoi controllare?",
      { order_id: "AB-48213" },
      '{"order_id":"AB-48213","status":"shipped","carrier":"BlueLine"}',
      "L'ordine AB-48213 è in viaggio (shipped) con BlueLine.",
    ),
    call(
      "set_temperature",
      "Imposta il riscaldamento in cucina a 21,5 gradi",
      { room: "cucina", celsius: 21.5 },
      '{"room":"cucina","celsius":21.5}',
      "Il riscaldamento in cucina è a 21,5 gradi.",
    ),
    call(
      "find_contact",
      "Qual è il numero di telefono di Giulia Ricci?",
      { name: "Giulia Ricci" },
      '{"name":"Giulia Ricci","phone":"+39 06 5551"}',
      "Il numero di Giulia Ricci è +39 06 5551.",
    ),
    failing(
      "get_weather",
      "Sta piovendo adesso a Genova?",
      { city: "Genova" },
      "service unavailable",
      "Purtroppo non ho potuto consultare il meteo di Genova, il servizio non è disponibile.",
    ),
    asking("book_hotel", "Vorrei prenotare una camera d'albergo.", "Volentieri. In quale città e da quando?"),
  ],
  pt: [
    call(
      "get_weather",
      "Como está o tempo em Braga?",
      { city: "Braga" },
      '{"city":"Braga","temperature_c":21,"condition":"sunny"}',
      "Em Braga estão 21 graus e o céu está limpo (sunny).",
    ),
    call(
      "get_weather",
      "Mostra-me o tempo atual em Faro, por favor.",
      { city: "Faro" },
      '{"city":"Faro","temperature_c":9,"condition":"rain"}',
      "Em Faro está a chover (rain), com 9 graus.",
    ),
    call(
      "book_hotel",
      "Preciso de um hotel em Coimbra de 3 de maio de 2026 a 6 de maio de 2026 para duas pessoas.",
      { city: "Coimbra", check_in: "2026-05-03", check_out: "2026-05-06", guests: 2 },
      '{"city":"Coimbra","booking":"H-7712"}',
      "O hotel em Coimbra está reservado com o número H-7712.",
    ),
    call(
      "book_hotel",
      "Você pode reservar um quarto em Natal a partir de 12/06/2026?",
      { city: "Natal", check_in: "2026-06-12" },
      '{"booking":"H-1001"}',
      "O quarto está reservado: H-1001.",
    ),
    call(
      "create_task",
      "Cria uma tarefa «Ligar ao dentista» para 14 de março de 2026",
      { title: "Ligar ao dentista", due_date: "2026-03-14" },
      '{"id":"T-5"}',
      "A tarefa «Ligar ao dentista» foi criada (T-5).",
    ),
    call(
      "get_order_status",
      "Onde está a minha encomenda AB-48213? Podes verificar?",
      { order_id: "AB-48213" },
      '{"order_id":"AB-48213","status":"shipped","carrier":"BlueLine"}',
      "A encomenda AB-48213 está a caminho (shipped) com a BlueLine.",
    ),
    call(
      "set_temperature",
      "Põe o aquecimento da cozinha a 21,5 graus",
      { room: "cozinha", celsius: 21.5 },
      '{"room":"cozinha","celsius":21.5}',
      "O aquecimento da cozinha está a 21,5 graus.",
    ),
    call(
      "find_contact",
      "Qual é o número de telefone de Beatriz Ferreira?",
      { name: "Beatriz Ferreira" },
      '{"name":"Beatriz Ferreira","phone":"+351 21 5551"}',
      "O número de Beatriz Ferreira é +351 21 5551.",
    ),
    failing(
      "get_weather",
      "Está a chover agora em Leiria?",
      { city: "Leiria" },
      "service unavailable",
      "Infelizmente não consegui consultar o tempo em Leiria, o serviço está indisponível.",
    ),
    asking("book_hotel", "Quero reservar um quarto de hotel.", "Claro. Em que cidade e a partir de quando?"),
  ],
  nl: [
    call(
      "get_weather",
      "Hoe is het weer in Utrecht?",
      { city: "Utrecht" },
      '{"city":"Utrecht","temperature_c":21,"condition":"sunny"}',
      "In Utrecht is het 21 graden en helder (sunny).",
    ),
    call(
      "get_weather",
      "Laat me het weer in Breda zien, alsjeblieft.",
      { city: "Breda" },
      '{"city":"Breda","temperature_c":9,"condition":"rain"}',
      "In Breda regent het (rain) bij 9 graden.",
    ),
    call(
      "book_hotel",
      "Ik heb een hotel in Leiden nodig van 3 mei 2026 tot 6 mei 2026 voor twee personen.",
      { city: "Leiden", check_in: "2026-05-03", check_out: "2026-05-06", guests: 2 },
      '{"city":"Leiden","booking":"H-7712"}',
      "Het hotel in Leiden is geboekt, nummer H-7712.",
    ),
    call(
      "book_hotel",
      "Kunt u een kamer in Gent boeken vanaf 12-06-2026?",
      { city: "Gent", check_in: "2026-06-12" },
      '{"booking":"H-1001"}',
      "Uw kamer is geboekt: H-1001.",
    ),
    call(
      "create_task",
      'Maak een taak "De tandarts bellen" voor 14 maart 2026',
      { title: "De tandarts bellen", due_date: "2026-03-14" },
      '{"id":"T-5"}',
      'De taak "De tandarts bellen" is gemaakt (T-5).',
    ),
    call(
      "get_order_status",
      "Waar blijft mijn bestelling AB-48213? Kun je even kijken?",
      { order_id: "AB-48213" },
      '{"order_id":"AB-48213","status":"shipped","carrier":"BlueLine"}',
      "Bestelling AB-48213 is onderweg (shipped) met BlueLine.",
    ),
    call(
      "set_temperature",
      "Zet de verwarming in de keuken op 21,5 graden",
      { room: "keuken", celsius: 21.5 },
      '{"room":"keuken","celsius":21.5}',
      "De verwarming in de keuken staat op 21,5 graden.",
    ),
    call(
      "find_contact",
      "Wat is het telefoonnummer van Femke Bakker?",
      { name: "Femke Bakker" },
      '{"name":"Femke Bakker","phone":"+31 20 5551"}',
      "Het nummer van Femke Bakker is +31 20 5551.",
    ),
    failing(
      "get_weather",
      "Regent het nu in Zwolle?",
      { city: "Zwolle" },
      "service unavailable",
      "Helaas kon ik het weer in Zwolle niet opvragen, de dienst is niet bereikbaar.",
    ),
    asking("book_hotel", "Ik wil graag een hotelkamer boeken.", "Natuurlijk. In welke stad en vanaf wanneer?"),
  ],
  en: [
    call(
      "get_weather",
      "What's the weather like in Leeds?",
      { city: "Leeds" },
      '{"city":"Leeds","temperature_c":21,"condition":"sunny"}',
      "In Leeds it is 21 degrees and sunny.",
    ),
    call(
      "get_weather",
      "Show me the current weather in Dublin, please.",
      { city: "Dublin" },
      '{"city":"Dublin","temperature_c":9,"condition":"rain"}',
      "It's raining in Dublin (rain), 9 degrees.",
    ),
    call(
      "book_hotel",
      "I need a hotel in Bristol from May 3, 2026 to May 6, 2026 for two people.",
      { city: "Bristol", check_in: "2026-05-03", check_out: "2026-05-06", guests: 2 },
      '{"city":"Bristol","booking":"H-7712"}',
      "The hotel in Bristol is booked, number H-7712.",
    ),
    call(
      "book_hotel",
      "Could you book me a room in York from 2026-06-12?",
      { city: "York", check_in: "2026-06-12" },
      '{"booking":"H-1001"}',
      "Your room is booked: H-1001.",
    ),
    call(
      "create_task",
      'Create a task "Call the dentist" for March 14, 2026',
      { title: "Call the dentist", due_date: "2026-03-14" },
      '{"id":"T-5"}',
      'The task "Call the dentist" was created (T-5).',
    ),
    call(
      "get_order_status",
      "Where is my order AB-48213? Can you have a look?",
      { order_id: "AB-48213" },
      '{"order_id":"AB-48213","status":"shipped","carrier":"BlueLine"}',
      "Order AB-48213 is on its way (shipped) with BlueLine.",
    ),
    call(
      "set_temperature",
      "Set the heating in the kitchen to 21.5 degrees",
      { room: "kitchen", celsius: 21.5 },
      '{"room":"kitchen","celsius":21.5}',
      "The kitchen is set to 21.5 degrees.",
    ),
    call(
      "find_contact",
      "What's the phone number of Sarah Fisher?",
      { name: "Sarah Fisher" },
      '{"name":"Sarah Fisher","phone":"+44 20 5551"}',
      "The number of Sarah Fisher is +44 20 5551.",
    ),
    failing(
      "get_weather",
      "Is it raining in Derby right now?",
      { city: "Derby" },
      "service unavailable",
      "Sorry, I could not get the weather in Derby, the service is unavailable.",
    ),
    asking("book_hotel", "I'd like to book a hotel room.", "Sure. In which city, and from when?"),
  ],
};
